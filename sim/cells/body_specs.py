"""The description of a cell from the body that it has: joint ranges and speeds of its model."""

from __future__ import annotations

from typing import Any

from sim.bodies.body import Body
from sim.cells.cell import CellJoint, CellSpec


def spec_of_body(body: Body, *, accel_time_s: float = 0.1, control_hz: float | None = None, **fields: Any) -> CellSpec:
    """Return the description of a cell with this body; `fields` are those of `CellSpec` that no model holds.

    `accel_time_s` is how long a joint takes to its largest speed [s]: models hold no acceleration.
    """
    joints = {joint.name: joint for joint in body.asset.joints}
    arm = [drive for drive in body.drives if drive.joint not in body.fingers]
    return CellSpec(
        body=body.name,
        joints=tuple(
            CellJoint(
                name=drive.joint,
                unit="m" if joints[drive.joint].kind == "prismatic" else "rad",
                low=joints[drive.joint].lower,
                high=joints[drive.joint].upper,
                max_speed=drive.max_speed,
                max_accel=drive.max_speed / accel_time_s,
            )
            for drive in arm
        ),
        has_gripper=bool(body.fingers),
        control_hz=control_hz or body.control_hz,
        **fields,
    )
