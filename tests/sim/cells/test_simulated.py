"""A policy acts on a simulated cell as it does in its environment, and what does not fit is refused before it moves."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cousins.errors import InputError
from sim.bodies import Body, build
from sim.cells.acting import CellActions
from sim.cells.backends.simulated import Config, SimulatedCell
from sim.cells.body_specs import spec_of_body
from sim.cells.cell import CellSpec
from sim.cells.guard import guard_limits
from sim.cells.guarded import GuardedCell
from sim.cells.latch import Latch
from sim.cells.policy_on_cell import prepare
from sim.envs.make_env import CONTROLS, make_env
from sim.train.policies import OBSERVATION_MEAN, OBSERVATION_VARIANCE, Policy, PolicyCard
from tests.sim.tasks import scenes_for_tests as scenes

STEPS = 40


def random_policy(env: Any, **changes: Any) -> Policy:
    """Return a policy with weights drawn by chance for an environment."""
    rng = np.random.default_rng(4)
    size, count = len(env.columns), len(env.action_columns)
    card = {
        "task": env.task.name,
        "body": env.body.name,
        "control": "ee_delta",
        "control_hz": 20.0,
        "observations": size,
        "actions": count,
        "layers": (("a", "b"), ("c", "d")),
        "activation": "tanh",
        "squashed": True,
        "variance_floor": 0.0,
        "algorithm": "none",
        "digest": env.provenance["digest"],
        "seed": 0,
        "steps": 0,
        "columns": env.columns,
        "action_columns": env.action_columns,
    }
    arrays = {
        "a": rng.normal(size=(16, size)),
        "b": rng.normal(size=16),
        "c": rng.normal(size=(count, 16)),
        "d": np.zeros(count),
        OBSERVATION_MEAN: np.zeros(size),
        OBSERVATION_VARIANCE: np.ones(size),
    }
    return Policy(card=PolicyCard(**(card | changes)), arrays=arrays)


def environment(task: str) -> Any:
    return make_env(pack=scenes.table_source(), task=task, split=[0], autoreset="disabled")


@pytest.mark.parametrize("task", ["push", "lift"])
def test_actions_on_the_cell_are_those_in_the_environment(task: str, tmp_path: Any) -> None:
    """With the stops far away: before them the guard brakes, which the environment does not."""
    env = environment(task)
    policy = random_policy(env)
    observation, _ = env.reset(seed=0, options={"cousin": 0})
    expected = []
    for _ in range(STEPS):
        expected.append((observation[0].copy(), policy.act(observation)[0]))
        observation, *_ = env.step(expected[-1][1][None])
    env.close()
    cell = SimulatedCell(Config(task=task), environment(task))
    cell.connect()
    limits = guard_limits(cell.spec, workspace=None, speed_share=1.0)
    far_stops = replace(limits, low=limits.low - 1.0, high=limits.high + 1.0)
    guarded = GuardedCell(cell, far_stops, Latch("a", tmp_path))
    actions, source = prepare(policy, cell.spec, build(cell.spec.body))
    actions.begin(guarded.observe())
    clamped = 0
    for expected_vector, expected_action in expected:
        observation_now = guarded.observe()
        vector = actions.vector(observation_now)
        decision = source.decide(vector, observation_now.t_capture_ns)
        assert decision is not None
        np.testing.assert_allclose(vector, expected_vector, atol=1e-9)
        np.testing.assert_allclose(decision.action, expected_action, atol=1e-9)
        sent = guarded.send(
            actions.target(decision.action, observation_now, t_ns=observation_now.t_capture_ns, valid_for_s=0.2)
        )
        assert not sent.held
        clamped += bool(sent.clamps)
        time.sleep(0.052)
    cell.close()
    assert clamped == 0


def panda_spec(body: Body, **changes: Any) -> CellSpec:
    fields: dict[str, Any] = {"driver": "t", "version": "1", "stop_kind": "none", "actions": ("joint_position",)}
    return replace(spec_of_body(body, name="lab", domain="peer", control_hz=20.0, **fields), **changes)


def test_joint_columns_are_those_of_the_environment_where_the_cell_measures_joints_alone() -> None:
    cell = SimulatedCell(Config(task="lift"), environment("lift"))
    cell.connect()
    body = build("gripper")
    names = [column for column in cell._world().columns if column.sources == ("proprio",)]
    actions = CellActions(replace(cell.spec, supplies=()), body, CONTROLS["ee_delta"](body), names)
    for _ in range(3):
        observation_now = cell.observe()
        expected = dict(zip((column.name for column in cell._world().columns), cell._columns[0], strict=True))
        bare = replace(observation_now, columns={})
        got = dict(zip((column.name for column in names), actions.vector(bare), strict=True))
        hand_speed = {name for name in got if name.startswith("drive_speed.") and name.endswith("_finger")}
        for name in set(got) - hand_speed:
            assert got[name] == pytest.approx(expected[name], abs=2e-3), name
        cell.hold()
    cell.close()


@pytest.mark.parametrize(
    ("changes", "spec_changes", "words"),
    [
        ({}, {}, r"sees target_from_tip\.x \[m\] and .* does not measure; expected .* goal, object_pose, object_size"),
        ({"columns": ()}, {}, "does not name its columns; .* Train it again"),
        ({"body": "gripper"}, {}, "for the body 'gripper'; expected 'pusher'"),
        ({"control_hz": 15.0}, {}, r"for the rate 15\.0 Hz; expected 20\.0 Hz.*control_hz in the cell's file"),
        ({}, {"pack_digest": "f" * 64}, "trained in the pack tiny.*; expected ffffffffffff.*scanned again"),
        ({"control": "torque"}, {}, "for the control 'torque'"),
        ({}, {"joints": ()}, "with the joints ; expected x, y"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_moves(
    changes: dict[str, Any], spec_changes: dict[str, Any], words: str
) -> None:
    env = environment("push")
    body = build("pusher")
    with pytest.raises(InputError, match=words):
        prepare(random_policy(env, **changes), panda_spec(body, **spec_changes), body)
    env.close()
