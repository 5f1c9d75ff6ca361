"""Arms of Feetech servos on a serial bus: SO-100 and SO-101.

The servos hold their last goal for ever, so the watchdog's own line is the only thing that stops them when the driver
is gone. A stop makes the present position the goal; torque stays on.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cousins.errors import CellError, InputError
from sim.cells.cell import CellJoint, CellObservation, CellSpec, Domain, Sent, Target
from sim.cells.feetech import packets
from sim.cells.feetech.bus import REPLY_TIMEOUT_S, FeetechBus
from sim.cells.feetech.calibration import ArmCalibration, read_calibration

VERSION: Final = "1"
PTY_MAJORS: Final = range(136, 144)
"""Device numbers of pseudo-terminals: behind these answers a program, never a robot."""
MAX_TEMPERATURE_C: Final = 65
"""A servo this hot is stopped [°C]."""
MIN_VOLTAGE_DV: Final = 60
"""Below this supply a servo loses its position [0.1 V]."""
HEALTH_PERIOD_S: Final = 1.0
"""How often temperature and voltage are read [s]: servos overheat without reporting it."""
SERVO_PLAN: Final = (
    (packets.RETURN_DELAY, 0),
    (packets.MODE, 0),
    (packets.ACCELERATION, 254),
)
"""Registers that a driver sets, as LeRobot does."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """An arm on a port."""

    name: str = "feetech"
    """Name of the cell."""
    port: str = ""
    """Serial port, such as `/dev/ttyACM0`."""
    calibration: Path = Path("calibration.json")
    """Calibration file of the arm, as `cousins cell calibration` writes it."""
    control_hz: float = 30.0
    """Targets per second [Hz]."""
    max_speed_rad_s: float = 2.0
    """Largest speed of a joint [rad/s]."""
    max_accel_rad_s2: float = 10.0
    """Largest acceleration of a joint [rad/s²]."""
    reply_timeout_s: float = REPLY_TIMEOUT_S
    """How late a servo's reply counts as lost [s]; more for adapters that hold bytes back, 16 ms on many."""
    pack_digest: str = ""
    """Digest of the pack of the place where it stands."""


def build(config: Config) -> FeetechCell:
    """Return the driver; nothing is opened yet."""
    return FeetechCell(config)


def stop_line(config: Config) -> FeetechStopLine:
    """Return a watchdog's line to the arm, with its own open port."""
    return FeetechStopLine(config)


def domain_of(port: str) -> Domain:
    """Return `peer` for a pseudo-terminal, `hardware` for a real port; raises `CellError` where there is none."""
    try:
        info = Path(port).stat()
    except OSError as error:
        raise CellError(
            f"there is no {port!r}. Plug the arm in; `ls /dev/tty*` lists ports.", kind="no port"
        ) from error
    if not stat.S_ISCHR(info.st_mode):
        raise CellError(f"{port!r} is no serial port", kind="no port")
    return "peer" if os.major(info.st_rdev) in PTY_MAJORS else "hardware"


class FeetechCell:
    """The `Cell` protocol on a bus of servos."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.calibration = read_calibration(config.calibration)
        self._bus: FeetechBus | None = None
        self._spec: CellSpec | None = None
        self._names = {servo.servo: servo.name for servo in self.calibration.servos}
        self._last: CellObservation | None = None
        self._seq, self._health_due_s = 0, 0.0
        self._health: list[str] = []

    @property
    def spec(self) -> CellSpec:
        """What it is; known from `connect` on."""
        if self._spec is None:
            raise CellError("connect comes first", kind="not connected")
        return self._spec

    def connect(self) -> None:
        """Open the port, compare every servo with the calibration, and take over the present position."""
        domain = domain_of(self.config.port)
        self._bus = FeetechBus(self.config.port, timeout_s=self.config.reply_timeout_s)
        for servo in self.calibration.servos:
            model = self._bus.read(servo.servo, packets.MODEL)
            if model != packets.MODEL_STS3215:
                raise CellError(f"servo {servo.servo} ({servo.name}) is of model {model}, not 777", kind="wrong model")
        self._require_calibrated()
        self._bus.write_all(packets.GOAL, _positions(self._bus, self.calibration))
        for register, value in SERVO_PLAN:
            for servo in self.calibration.servos:
                self._bus.write(servo.servo, register, value)
        for servo in self.calibration.servos:
            self._bus.write(servo.servo, packets.TORQUE_ON, 1)
        self._spec = _spec(self.config, self.calibration, domain)

    def observe(self) -> CellObservation:
        """Return positions, speeds and loads; raises `CellError` where the servos are silent or out of order."""
        bus, servos = self._open(), self.calibration.servos
        t_ns = time.monotonic_ns()
        data = bus.read_all(packets.POSITION, [servo.servo for servo in servos], size=6)
        ticks = {servo.name: packets.POSITION.decode(data[servo.servo][:2]) for servo in servos}
        speeds = {servo.name: packets.SPEED.decode(data[servo.servo][2:4]) for servo in servos}
        loads = [packets.LOAD.decode(data[servo.servo][4:6]) / 1000.0 for servo in self.calibration.arm]
        if time.monotonic() >= self._health_due_s:
            self._health, self._health_due_s = self._read_health(), time.monotonic() + HEALTH_PERIOD_S
        self._seq += 1
        hand = self.calibration.hand
        self._last = CellObservation(
            seq=self._seq,
            t_capture_ns=t_ns,
            q=np.array([servo.angle(ticks[servo.name]) for servo in self.calibration.arm]),
            dq=np.array([servo.angle(speeds[servo.name] + servo.zero_tick) for servo in self.calibration.arm]),
            gripper=None if hand is None else _share(hand.angle(ticks[hand.name]), hand.limits),
            load=np.array(loads),
            faults=(*bus.status_faults(self._names), *self._health),
        )
        return self._last

    def send(self, target: Target) -> Sent:
        """Send positions; the servos' own limits cut them to the stops."""
        if target.q is None:
            raise CellError("speeds were sent to an arm that takes positions", kind="wrong target")
        goals = {servo.servo: servo.tick(angle) for servo, angle in zip(self.calibration.arm, target.q, strict=True)}
        hand = self.calibration.hand
        if hand is not None and target.gripper is not None:
            shut, open_ = hand.limits
            goals[hand.servo] = hand.tick(shut + target.gripper * (open_ - shut))
        self._open().write_all(packets.GOAL, goals)
        sent = np.array([servo.angle(goals[servo.servo]) for servo in self.calibration.arm])
        return Sent(seq=target.seq, t_ns=time.monotonic_ns(), q=sent, dq=None, gripper=target.gripper)

    def hold(self) -> None:
        """Make the present position the goal."""
        self._open().write_all(packets.GOAL, _positions(self._open(), self.calibration))

    def stop(self, reason: str) -> None:
        """Make the present position the goal; torque stays on."""
        del reason
        if self._bus is not None:
            self.hold()

    def close(self) -> None:
        """Close the port."""
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    def _open(self) -> FeetechBus:
        if self._bus is None:
            raise CellError("the port is closed", kind="not connected")
        return self._bus

    def _require_calibrated(self) -> None:
        """Raise where a servo's memory differs from the calibration: ids were swapped, or it was calibrated since."""
        registers = (packets.OFFSET, packets.MIN_POSITION, packets.MAX_POSITION)
        planned = {
            servo.servo: (servo.homing_offset, servo.range_min, servo.range_max) for servo in self.calibration.servos
        }
        present = {number: tuple(self._open().read(number, register) for register in registers) for number in planned}
        wrong = [number for number in planned if planned[number] != present[number]]
        if not wrong:
            return
        first = wrong[0]
        twin = next((number for number in wrong if number != first and planned[number] == present[first]), None)
        if twin is not None:
            raise CellError(
                f"servo {first} ({self._names[first]}) has the memory of servo {twin} ({self._names[twin]}). "
                "Give the servos their ids back, or calibrate again",
                kind="swapped ids",
            )
        raise InputError(
            f"a stale calibration: servo {first} ({self._names[first]}) has offset and stops {present[first]}",
            expected=f"{planned[first]}, as in {self.config.calibration.name}",
            hint="The arm was calibrated since. Type `cousins cell calibration` with its newest file.",
        )

    def _read_health(self) -> list[str]:
        data = self._open().read_all(packets.VOLTAGE, list(self._names), size=2)
        faults = []
        for number, (voltage, temperature) in data.items():
            if temperature >= MAX_TEMPERATURE_C:
                faults.append(f"overheating: {self._names[number]} (servo {number}) at {temperature} °C")
            if voltage < MIN_VOLTAGE_DV:
                faults.append(f"brown-out: {self._names[number]} (servo {number}) at {0.1 * voltage:.1f} V")
        return faults


class FeetechStopLine:
    """Stops an arm over a port of its own."""

    def __init__(self, config: Config) -> None:
        self.calibration = read_calibration(config.calibration)
        self._bus = FeetechBus(config.port, timeout_s=config.reply_timeout_s, exclusive=False)

    def stop(self, reason: str) -> None:
        """Make the present position the goal; the driver, if it lived, must be gone."""
        del reason
        self._bus.write_all(packets.GOAL, _positions(self._bus, self.calibration))

    def close(self) -> None:
        """Close the port."""
        self._bus.close()


def _positions(bus: FeetechBus, calibration: ArmCalibration) -> dict[int, int]:
    data = bus.read_all(packets.POSITION, [servo.servo for servo in calibration.servos])
    return {number: packets.POSITION.decode(value) for number, value in data.items()}


def _share(angle: float, limits: tuple[float, float]) -> float:
    return float(np.clip((angle - limits[0]) / (limits[1] - limits[0]), 0.0, 1.0))


def _spec(config: Config, calibration: ArmCalibration, domain: Domain) -> CellSpec:
    return CellSpec(
        name=config.name,
        body=calibration.body,
        joints=tuple(
            CellJoint(
                name=servo.name,
                unit="rad",
                low=servo.limits[0],
                high=servo.limits[1],
                max_speed=config.max_speed_rad_s,
                max_accel=config.max_accel_rad_s2,
            )
            for servo in calibration.arm
        ),
        has_gripper=calibration.hand is not None,
        control_hz=config.control_hz,
        actions=("joint_position",),
        pack_digest=config.pack_digest,
        stop_kind="the present position becomes the goal; torque stays on",
        domain=domain,
        driver="feetech",
        version=VERSION,
    )
