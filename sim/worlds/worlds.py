"""The protocol of batched worlds: cousins with a robot in each, stepped together.

`sim.physics.engine` holds one scene to validate it. Here a batch of rows is stepped for learning: each row holds one
cousin of a source, and can load another cousin at any time. Everything that is read or written per step is one array
over all rows, so that an engine for thousands of rows (on a GPU, say) can implement the same protocol.

A robot's drives are velocity servos with a force limit, and its weight is compensated, as the controllers of real arms
do. Gravity, friction and contacts are those of `sim.physics.engine`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from cousins.geometry import Array
from cousins.reconstruct.kinematics import joints_in_order
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from sim.bodies.body import Body
from sim.physics.engine import Contact

ROBOT_NAME: Final = "robot"
"""Name of the robot among the bodies of a world."""


class CousinSource(Protocol):
    """A source of cousins and their scenes, such as a pack."""

    digest: str
    """Digest of the content: sources with equal digests hold equal worlds."""

    def cousin(self, index: int) -> Cousin:
        """Return the parameters of a cousin."""
        ...

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        ...


@dataclass(frozen=True, kw_only=True)
class Slots:
    """Objects and joints of the columns of a batch's arrays, the same in all rows."""

    objects: tuple[str, ...]
    """Names of the objects, fixed ones included; absent in a row whose cousin lacks it."""
    joints: tuple[tuple[str, int], ...]
    """Movable joints as (object, number among the object's movable joints, parents first)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class State:
    """The state of a batch: rows first, world frame, SI units; zeros for absent objects and joints."""

    present: Array
    """Whether a row has the object, bool [n, objects]."""
    position_m: Array
    """Origin of each object's root link [n, objects, 3]."""
    quat_wxyz: Array
    """Orientation of that link [n, objects, 4]."""
    velocity: Array
    """Velocity of its centre of mass [m/s] and spin [rad/s], [n, objects, 6]."""
    joint_position: Array
    """Positions of the objects' joints [rad or m], [n, joints]."""
    joint_velocity: Array
    """Velocities of the objects' joints [rad/s or m/s], [n, joints]."""
    drive_position: Array
    """Positions of the robot's drives [rad or m], [n, drives]."""
    drive_velocity: Array
    """Velocities of the robot's drives [rad/s or m/s], [n, drives]."""
    tip_position_m: Array
    """Position of the robot's tip [n, 3]."""
    tip_quat_wxyz: Array
    """Orientation of the tip [n, 4]."""
    touched: Array
    """Whether the robot touches the object, bool [n, objects]."""


class Worlds(Protocol):
    """A batch of worlds in one engine."""

    name: str
    """Public name of the engine."""
    version: str
    """Version of the engine."""
    timestep_s: float
    """Duration of one step [s]."""
    size: int
    """Number of rows."""
    body: Body
    """The robot in each row."""
    slots: Slots
    """Objects and joints of the columns."""

    def load_cousin(self, row: int, index: int) -> None:
        """Load a cousin into a row in its initial state: at rest, drives at home; raises `EngineError`."""
        ...

    def cousin_index(self, row: int) -> int:
        """Return the number of the cousin in a row; raises `EngineError` where it has none."""
        ...

    def place(self, row: int, name: str, world_from_object: Array) -> None:
        """Set the pose `world_from_object` [4, 4] of a free object, at rest."""
        ...

    def set_joint(self, row: int, joint: int, position: float) -> None:
        """Set the position of a joint (a column of `Slots.joints`) [rad or m], at rest."""
        ...

    def set_drives(self, row: int, position: Array) -> None:
        """Set the positions of the robot's drives [drives], at rest."""
        ...

    def step(self, drive_velocity: Array, count: int) -> list[str]:
        """Advance all rows by `count` steps at target velocities [n, drives], clipped to the limits of the drives.

        Returns the fault of each row, empty where there is none. A row with a fault (a command that is NaN or absurd,
        as defined in `sim.worlds.faults`, an exploding state, a worker that stalled) stops, and its fault is returned
        by every step until a cousin is loaded into it; other rows are not affected.
        """
        ...

    def read(self) -> State:
        """Return the current state in new arrays."""
        ...

    def contacts(self, row: int) -> list[Contact]:
        """Return the contacts of a row; the robot is named `ROBOT_NAME`."""
        ...

    def snapshot(self, row: int) -> bytes:
        """Return the full simulation state of a row with its current cousin."""
        ...

    def restore(self, row: int, snapshot: bytes) -> None:
        """Restore a snapshot of a row with the same cousin; the simulation continues from it bit for bit."""
        ...

    def close(self) -> None:
        """Free the engine."""
        ...


def slots_of(source: CousinSource, indices: Iterable[int]) -> Slots:
    """Return columns for the objects and joints of the given cousins, in order of their first appearance."""
    objects: dict[str, int] = {}
    for index in indices:
        for placed in source.scene(index).objects:
            count = sum(joint.kind != "fixed" for joint in joints_in_order(placed.asset))
            objects[placed.asset.name] = max(count, objects.get(placed.asset.name, 0))
    joints = tuple((name, number) for name, count in objects.items() for number in range(count))
    return Slots(objects=tuple(objects), joints=joints)
