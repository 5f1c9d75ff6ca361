"""Targets that a broken policy, a frozen clock or a stranger might send, drawn by chance."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.cells.cell import CellObservation, CellSpec, Target


def hostile_target(rng: np.random.Generator, spec: CellSpec, seq: int, now_ns: int) -> Target:
    """Return a target of which about half are wrong in some way; the rest jump far and near."""
    count = len(spec.joints)
    reach = np.array([joint.high - joint.low for joint in spec.joints])
    middle = np.array([0.5 * (joint.high + joint.low) for joint in spec.joints])
    values: Any = middle + reach * rng.normal(size=count) * rng.choice([0.01, 0.3, 1.0, 1e6])
    fields: dict[str, Any] = {"seq": seq, "t_ns": now_ns - int(rng.integers(0, 10_000_000)), "valid_for_s": 0.1}
    fields["gripper"] = float(rng.choice([0.0, 0.5, 1.0, 7.0, -3.0])) if spec.has_gripper else None
    wrong = int(rng.integers(0, 60))
    if wrong == 0:
        values[rng.integers(count)] = rng.choice([np.nan, np.inf, -np.inf])
    elif wrong == 1:
        values = values[: count - 1] if rng.random() < 0.5 else np.append(values, 0.0)
    elif wrong == 2:
        fields["t_ns"] = now_ns + int(rng.integers(-(10**9), 10**8))
    elif wrong == 3:
        fields["seq"] = seq - int(rng.integers(0, 5))
    elif wrong == 4:
        fields["valid_for_s"] = float(rng.choice([np.nan, 0.0, -1.0, np.inf]))
    elif wrong == 5:
        values = values.astype(object) if rng.random() < 0.5 else values.tolist()
    elif wrong == 6:
        fields["gripper"] = float("nan")
    elif wrong == 7:
        values = np.full(count, -0.0) if rng.random() < 0.5 else np.full((count, 1), 1.0)
    if wrong == 8:
        return Target(q=values, dq=values, **fields)
    kind = "dq" if spec.actions[0] == "joint_velocity" or wrong == 9 else "q"
    return Target(**{kind: values}, **fields)


def hostile_observation(
    rng: np.random.Generator, seq: int, now_ns: int, q: np.ndarray, dq: np.ndarray
) -> CellObservation:
    """Return what was measured, now and then stale, from the future, broken or with a fault."""
    fields: dict[str, Any] = {"seq": seq, "t_capture_ns": now_ns - int(rng.integers(0, 8_000_000)), "q": q, "dq": dq}
    wrong = int(rng.integers(0, 150))
    if wrong == 0:
        fields["q"] = np.where(np.arange(len(q)) == 0, np.nan, q)
    elif wrong == 1:
        fields["t_capture_ns"] = now_ns + int(rng.integers(-(10**9), 10**8))
    elif wrong == 2:
        fields["faults"] = ("overheating: joint 2 at 70 °C",)
    elif wrong == 3:
        fields["load"] = np.full(len(q), 5.0)
    elif wrong == 4:
        fields["seq"] = seq - 100
    return CellObservation(**fields)
