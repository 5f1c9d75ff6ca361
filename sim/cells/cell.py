"""A cell: a robot behind one protocol, whether it is simulated, a peer that speaks the real bytes, or hardware.

SI units and radians; degrees, ticks and per cents stay in the driver. Times are those of `time.monotonic_ns`, which no
clock change moves and all processes of a machine share.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal, Protocol

from cousins.geometry import Array

Domain = Literal["hardware", "peer", "sim"]
"""What answers: a real robot, a program that speaks a robot's bytes, or a simulation. Every artefact states it."""
ActionKind = Literal["joint_position", "joint_velocity"]


@dataclass(frozen=True, kw_only=True)
class CellJoint:
    """One joint of the arm and its limits."""

    name: str
    """Name, as the body has it."""
    unit: Literal["rad", "m"]
    """Unit of its position."""
    low: float
    """Least position."""
    high: float
    """Largest position."""
    max_speed: float
    """Largest speed [unit/s]."""
    max_accel: float
    """Largest acceleration [unit/s²]."""


@dataclass(frozen=True, kw_only=True)
class CellSpec:
    """What a cell is and what it can do, known before anything moves."""

    name: str
    """Name of the cell, such as `so101-left`."""
    body: str
    """Name of the body that the cell has."""
    joints: tuple[CellJoint, ...]
    """Joints of the arm, in the order of every observation and target; those of the hand are not among them."""
    has_gripper: bool
    """Whether there is a hand, from 0 (shut) to 1 (open)."""
    control_hz: float
    """Targets per second [Hz]."""
    actions: tuple[ActionKind, ...]
    """Kinds of targets that it takes; the first is preferred."""
    supplies: tuple[str, ...] = ()
    """Names of the columns that it measures beside its joints."""
    pack_digest: str = ""
    """Digest of the pack of the place where it stands; empty where none is known."""
    vendor_watchdog_s: float | None = None
    """After so much silence the robot stops by itself [s]; None where it never does."""
    stop_kind: str
    """What a stop does, in words."""
    domain: Domain
    """What answers."""
    driver: str
    """Name of the driver."""
    version: str
    """Version of the driver or of its library."""

    @property
    def digest(self) -> str:
        """SHA-256 of all of it: a check holds for the cell that it was made with."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CellObservation:
    """What a cell measured at one instant."""

    seq: int
    """Number of the measurement; the same number again means that nothing newer was to be had."""
    t_capture_ns: int
    """When it was measured [ns]."""
    q: Array
    """Positions of the joints [joints]."""
    dq: Array
    """Their speeds [joints]."""
    gripper: float | None = None
    """Opening of the hand, 0 to 1; None without one."""
    load: Array | None = None
    """Share of its largest torque that each joint exerts [joints]; None where it is not measured."""
    columns: Mapping[str, float] = field(default_factory=dict)
    """Values of the columns that the cell supplies beside its joints, by name."""
    faults: tuple[str, ...] = ()
    """What the robot reports, in words, such as `overheating: shoulder_lift at 66 °C`; empty where all is well."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Target:
    """What a policy asks of a cell; exactly one of `q` and `dq` is given."""

    seq: int
    """Number of the target; each is larger than the one before."""
    t_ns: int
    """When it was decided [ns]."""
    q: Array | None = None
    """Positions of the joints [joints]."""
    dq: Array | None = None
    """Speeds of the joints [joints]."""
    gripper: float | None = None
    """Opening of the hand, 0 to 1."""
    valid_for_s: float
    """For how long it may be executed [s]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sent:
    """What a cell really sent."""

    seq: int
    """Number of the target."""
    t_ns: int
    """When [ns]."""
    q: Array | None
    """Positions of the joints [joints]; None where speeds or nothing were sent."""
    dq: Array | None
    """Speeds of the joints [joints]; None where positions or nothing were sent."""
    gripper: float | None
    """Opening of the hand."""
    clamps: tuple[str, ...] = ()
    """Limits that changed the target, by name."""
    held: str = ""
    """Why the cell held its position instead; empty where the target was sent."""


class Cell(Protocol):
    """A robot; every cell keeps the law book in `tests/conformance/test_cells.py`."""

    @property
    def spec(self) -> CellSpec:
        """What it is; known from `connect` on."""
        ...

    def connect(self) -> None:
        """Reach the robot and compare it with its description; nothing moves. Raises `InputError` or `CellError`."""
        ...

    def observe(self) -> CellObservation:
        """Return the newest measurement; raises `CellError` where there has been none for too long."""
        ...

    def send(self, target: Target) -> Sent:
        """Send a target that a guard has passed, and return what was sent."""
        ...

    def hold(self) -> None:
        """Stay at the present position, with torque."""
        ...

    def stop(self, reason: str) -> None:
        """Brake and hold. Torque stays on: an arm without it falls."""
        ...

    def close(self) -> None:
        """Let go of the connection; nothing moves and torque stays on."""
        ...


class StopLine(Protocol):
    """A watchdog's own wire to the robot, which needs no other process."""

    def stop(self, reason: str) -> None:
        """Brake and hold; raises `CellError` where the robot cannot be reached."""
        ...

    def close(self) -> None:
        """Let go of the wire."""
        ...
