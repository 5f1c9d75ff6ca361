"""Columns of observations and actions: name, unit, frame, and what must be measured to fill them.

A policy sees numbers in the order of its columns. A robot that lacks a camera on the objects can fill those from its
encoders alone; `sources` is how anyone finds out which these are, without running anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from sim.bodies.body import Body
from sim.bodies.controllers import Control

Source = Literal["proprio", "object_pose", "object_size", "goal", "joint", "contact", "hidden"]
"""What a column is filled from: encoders of the robot, poses and sizes of objects, the goal, joints of objects,
contacts; `hidden` is for what no sensor gives, such as friction."""
SOURCES: Final[tuple[Source, ...]] = get_args(Source)
AXES: Final = ("x", "y", "z")
ROTATION_AXES: Final = ("xx", "xy", "xz", "yx", "yy", "yz")
"""Components of the first two columns of a rotation matrix: `yz` is the z component of the turned y axis."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One number of an observation or of an action."""

    name: str
    """Name, unique in its observation or action, such as `goal_from_target.x`."""
    unit: str
    """Unit, such as `m` or `rad/s`; `1` for a number without one."""
    frame: str = ""
    """Frame of a component of a vector: `base`, or `target` and `furniture` for extents; empty for scalars."""
    sources: tuple[Source, ...] = ()
    """All that must be measured to fill it; empty for actions."""


def vector(
    name: str,
    unit: str,
    *sources: Source,
    frame: str = "base",
    components: Sequence[str] = AXES,
) -> tuple[Column, ...]:
    """Return the columns of a vector, one for each component."""
    return tuple(Column(name=f"{name}.{part}", unit=unit, frame=frame, sources=sources) for part in components)


def rotation(name: str, *sources: Source) -> tuple[Column, ...]:
    """Return the columns of the first two columns of a rotation matrix in the frame of the base."""
    return vector(name, "1", *sources, components=ROTATION_AXES)


def scalar(name: str, unit: str, *sources: Source) -> tuple[Column, ...]:
    """Return the column of a number without a frame, as a tuple of one."""
    return (Column(name=name, unit=unit, sources=sources),)


def body_columns(body: Body) -> tuple[Column, ...]:
    """Return the columns of a body's proprioception: drives from home, their speeds, the tip, its rotation."""
    kinds = {joint.name: joint.kind for joint in body.asset.joints}
    units = {drive.joint: "m" if kinds[drive.joint] == "prismatic" else "rad" for drive in body.drives}
    from_home = (scalar(f"drive_from_home.{name}", unit, "proprio") for name, unit in units.items())
    speeds = (scalar(f"drive_speed.{name}", f"{unit}/s", "proprio") for name, unit in units.items())
    turns = any(kinds[drive.joint] == "revolute" for drive in body.drives)
    tip = vector("tip", "m", "proprio") + (rotation("tip_rotation", "proprio") if turns else ())
    return (*joined(from_home), *joined(speeds), *tip)


def action_columns(control: Control, body: Body) -> tuple[Column, ...]:
    """Return the columns of an action, each from -1 to 1; their units are those of what 1 stands for."""
    kinds = {joint.name: joint.kind for joint in body.asset.joints}
    if control.kind == "ee_delta":
        arm = [
            Column(name=axis, unit="rad/s" if axis.startswith("r") else "m/s", frame="base") for axis in control.axes
        ]
    else:
        names = [drive.joint for drive in body.drives if drive.joint not in body.fingers]
        arm = [Column(name=name, unit="m/s" if kinds[name] == "prismatic" else "rad/s") for name in names]
    hand = [Column(name="hand", unit="1")] if body.fingers else []
    return (*arm, *hand)


def last_action_columns(actions: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of the action before, as a policy observes it."""
    return joined(scalar(f"last_action.{column.name}", "1", "proprio") for column in actions)


def joined(groups: Iterable[tuple[Column, ...]]) -> tuple[Column, ...]:
    """Return groups of columns as one tuple."""
    return tuple(column for group in groups for column in group)


def column_records(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Return columns as JSON values."""
    return [asdict(column) | {"sources": list(column.sources)} for column in columns]


def columns_from_records(records: Any) -> tuple[Column, ...]:
    """Return the columns that `column_records` wrote; raises `ValueError` for anything else."""
    if not isinstance(records, (list, tuple)):
        raise ValueError("columns that are no list")
    columns = tuple(_column(record) for record in records)
    if len({column.name for column in columns}) != len(columns):
        raise ValueError("two columns of one name")
    return columns


def _column(record: Any) -> Column:
    if not isinstance(record, dict) or set(record) != {"name", "unit", "frame", "sources"}:
        raise ValueError("a column without exactly name, unit, frame and sources")
    texts = (record["name"], record["unit"], record["frame"])
    if not all(isinstance(text, str) for text in texts) or not isinstance(record["sources"], (list, tuple)):
        raise ValueError("a column with a field of another kind")
    unknown = [source for source in record["sources"] if source not in SOURCES]
    if unknown:
        raise ValueError(f"a column with the source {unknown[0]!r}")
    return Column(**{**record, "sources": tuple(record["sources"])})
