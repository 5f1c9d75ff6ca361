"""Worlds side by side: cousins with a robot in each, stepped together.

`sim.physics.engine` holds one scene and proves things about it. Here a batch of rows is stepped for learning: each row
shows one cousin of a source, and any row can change to another cousin at any time. Whoever steps more than these two
engines (a GPU that steps thousands of rows, say) answers the same protocol: all that is read or written per step is one
array over all rows.

A body's drives are velocity servos with a force limit, and its own weight is carried for it, as the controllers of
real arms do. Gravity, friction and contacts are those of `sim.physics.engine`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from cousins.geometry import Array
from cousins.scene.kinematics import joints_in_order
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from sim.bodies.body import Body
from sim.physics.engine import Contact

BODY: Final = "robot"
"""Name of the body among the objects of a world."""


class Source(Protocol):
    """Where worlds come from; a pack is one."""

    digest: str
    """Tells sources apart: equal digest, equal worlds."""

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters."""
        ...

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        ...


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What the columns of a batch's arrays stand for, the same in all rows."""

    objects: tuple[str, ...]
    """Names of objects, those that stay where they are too; a row whose cousin lacks one has it absent."""
    joints: tuple[tuple[str, int], ...]
    """Movable joints as (object, number among the object's movable joints, parents first)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class State:
    """What a batch looks like now; rows first, world frame, SI units. Absent objects and joints hold zeros."""

    present: Array
    """Which objects a row has, bool [n, objects]."""
    position_m: Array
    """Origin of each object's root link [n, objects, 3]."""
    quat_wxyz: Array
    """Orientation of that link [n, objects, 4]."""
    velocity: Array
    """Velocity of its centre of mass [m/s] and spin [rad/s], [n, objects, 6]."""
    joint_position: Array
    """Of the objects' joints [rad or m], [n, joints]."""
    joint_velocity: Array
    """The same per second [n, joints]."""
    drive_position: Array
    """Of the body's drives [rad or m], [n, drives]."""
    drive_velocity: Array
    """The same per second [n, drives]."""
    tip_position_m: Array
    """Of the body's tip [n, 3]."""
    tip_quat_wxyz: Array
    """Orientation of the tip [n, 4]."""
    touched: Array
    """Which objects the body touches, bool [n, objects]."""


class Worlds(Protocol):
    """A batch of worlds under one engine."""

    name: str
    """Public name of the engine."""
    version: str
    """Version of the engine."""
    timestep_s: float
    """Duration of one step [s]."""
    size: int
    """Rows."""
    body: Body
    """The body in each row."""
    slots: Slots
    """Columns."""

    def show(self, row: int, index: int) -> None:
        """Let a row show a cousin from its start: at rest, drives at home; raises `EngineError`."""
        ...

    def shown(self, row: int) -> int:
        """Return the number of the cousin that a row shows."""
        ...

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        """Put a free object somewhere, at rest."""
        ...

    def set_joint(self, row: int, joint: int, position: float) -> None:
        """Put a joint (a column of `Slots.joints`) somewhere [rad or m], at rest."""
        ...

    def set_drives(self, row: int, position: Array) -> None:
        """Put the body's drives somewhere [drives], at rest."""
        ...

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        """Advance all rows by `count` steps at these target speeds [n, drives], cut to the drives' own limits.

        Returns by row what broke, empty where nothing did. A row that broke (a command that is NaN or absurd, as
        `sim.worlds.faults` has it, an exploding state, a worker that stalled) stands still and is told again and again
        until it is shown a cousin; the others do not notice.
        """
        ...

    def read(self) -> State:
        """Return the present state; the arrays are the caller's."""
        ...

    def contacts(self, row: int) -> list[Contact]:
        """Return the contacts of a row; the body goes by the name of `BODY`."""
        ...

    def snapshot(self, row: int) -> bytes:
        """Return all that decides a row's future while it shows its cousin."""
        ...

    def restore(self, row: int, snapshot: bytes) -> None:
        """Bring back what `snapshot` of a row that shows the same cousin returned: the same future, bit for bit."""
        ...

    def close(self) -> None:
        """Free the engine."""
        ...


def slots_of(source: Source, indices: Iterable[int]) -> Slots:
    """Return columns that hold the objects and joints of all these cousins, in order of their first appearance."""
    objects: dict[str, int] = {}
    for index in indices:
        for placed in source.scene(index).objects:
            count = sum(joint.kind != "fixed" for joint in joints_in_order(placed.asset))
            objects[placed.asset.name] = max(count, objects.get(placed.asset.name, 0))
    joints = tuple((name, number) for name, count in objects.items() for number in range(count))
    return Slots(objects=tuple(objects), joints=joints)
