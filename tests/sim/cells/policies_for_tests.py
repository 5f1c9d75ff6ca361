"""A policy that sees the robot's own joints alone."""

from __future__ import annotations

import numpy as np

from sim.bodies.body import Body
from sim.bodies.columns import action_columns, body_columns
from sim.bodies.controllers import joint_delta
from sim.train.policies import OBSERVATION_MEAN, OBSERVATION_VARIANCE, Policy, PolicyCard


def joint_policy(body: Body, *, control_hz: float = 20.0, gain: float = 2.0) -> Policy:
    """Return a policy that brings every joint of the arm home, and opens the hand."""
    columns, actions = body_columns(body), action_columns(joint_delta(body), body)
    arm = len(actions) - bool(body.fingers)
    weight = np.zeros((len(actions), len(columns)))
    weight[:arm, :arm] = -gain * np.eye(arm)
    bias = np.zeros(len(actions))
    bias[arm:] = 1.0
    card = PolicyCard(
        task="push",
        body=body.name,
        control="joint_delta",
        control_hz=control_hz,
        observations=len(columns),
        actions=len(actions),
        layers=(("weight", "bias"),),
        activation="tanh",
        squashed=False,
        variance_floor=0.0,
        algorithm="by hand",
        digest="",
        seed=0,
        steps=0,
        columns=columns,
        action_columns=actions,
    )
    statistics = {OBSERVATION_MEAN: np.zeros(len(columns)), OBSERVATION_VARIANCE: np.ones(len(columns))}
    return Policy(card=card, arrays={"weight": weight, "bias": bias, **statistics})
