"""Calibration of an arm of Feetech servos: which servo is which joint, and where its zero is.

LeRobot's calibration files are read for ids, offsets and stops. Their zero is not used: it is wherever the arm was held
when they were made. Here the two stops of each joint, which its model knows too, give zero and scale; a joint whose
stops are farther apart or closer than the model's is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cousins.errors import InputError
from sim.cells.feetech.packets import TICKS_PER_TURN

FORMAT: Final = "cousins feetech calibration 1"
MAX_TRAVEL_ERROR_RAD: Final = math.radians(3.0)
"""Stops that differ by more from those of the model are no stops."""
RAD_PER_TICK: Final = 2.0 * math.pi / TICKS_PER_TURN


@dataclass(frozen=True, kw_only=True)
class ServoCalibration:
    """One servo and the joint that it turns."""

    name: str
    """Name of the joint."""
    servo: int
    """Number of the servo."""
    homing_offset: int
    """Offset that stands in the servo's memory [ticks]."""
    range_min: int
    """Position at one stop [ticks]."""
    range_max: int
    """Position at the other stop [ticks]."""
    sign: int
    """1 where the joint grows with the ticks, -1 where it shrinks."""
    zero_tick: float
    """Position at which the joint is at 0 [ticks]."""
    zero_error_rad: float
    """By how much that may be off [rad]."""

    def angle(self, tick: float) -> float:
        """Return the joint's position [rad] at a servo's position [ticks]."""
        return self.sign * (tick - self.zero_tick) * RAD_PER_TICK

    def tick(self, angle: float) -> int:
        """Return the servo's position [ticks], within its stops, for a joint's position [rad]."""
        tick = round(self.zero_tick + self.sign * angle / RAD_PER_TICK)
        return min(max(tick, self.range_min), self.range_max)

    @property
    def limits(self) -> tuple[float, float]:
        """Positions of the joint at its stops, the lower first [rad]."""
        ends = sorted((self.angle(self.range_min), self.angle(self.range_max)))
        return ends[0], ends[1]


@dataclass(frozen=True, kw_only=True)
class ArmCalibration:
    """All servos of an arm; the hand's is the last where there is one."""

    body: str
    """Name of the body."""
    servos: tuple[ServoCalibration, ...]
    """Servos in the order of the body's drives."""
    gripper: str = ""
    """Name of the joint that is the hand, which opens as it grows; empty without one."""

    @property
    def arm(self) -> tuple[ServoCalibration, ...]:
        """Servos of the arm alone."""
        return tuple(servo for servo in self.servos if servo.name != self.gripper)

    @property
    def hand(self) -> ServoCalibration | None:
        """Servo of the hand; None without one."""
        return next((servo for servo in self.servos if servo.name == self.gripper), None)


def calibration_from_stops(
    lerobot: Mapping[str, Any], limits: Mapping[str, tuple[float, float]], *, body: str, gripper: str = ""
) -> ArmCalibration:
    """Return the calibration from LeRobot's file of an arm and the limits of its model by joint [rad].

    Raises `InputError` for a joint without servo, or whose stops do not fit its model.
    """
    servos = []
    for name, (low, high) in limits.items():
        record = lerobot.get(name)
        if not isinstance(record, Mapping):
            raise _file_error(f"no servo for the joint {name!r}")
        try:
            servo, offset = int(record["id"]), int(record["homing_offset"])
            first, second = int(record["range_min"]), int(record["range_max"])
            sign = -1 if int(record["drive_mode"]) else 1
        except (KeyError, TypeError, ValueError) as error:
            raise _file_error(f"an entry of {name!r} without {error}") from error
        difference = (second - first) * RAD_PER_TICK - (high - low)
        if name != gripper and abs(difference) > MAX_TRAVEL_ERROR_RAD:
            travel_deg, model_deg = math.degrees((second - first) * RAD_PER_TICK), math.degrees(high - low)
            raise _file_error(
                f"{name!r} with {travel_deg:.1f}° between its stops, where the model has {model_deg:.1f}°"
            )
        middle = 0.5 * (first + second) - sign * 0.5 * (low + high) / RAD_PER_TICK
        servos.append(
            ServoCalibration(
                name=name,
                servo=servo,
                homing_offset=offset,
                range_min=first,
                range_max=second,
                sign=sign,
                zero_tick=middle,
                zero_error_rad=0.5 * abs(difference),
            )
        )
    return _sound(ArmCalibration(body=body, servos=tuple(servos), gripper=gripper))


def write_calibration(calibration: ArmCalibration, path: Path) -> None:
    """Write a calibration as JSON."""
    path.write_text(json.dumps({"format": FORMAT} | asdict(calibration), indent=1) + "\n", encoding="utf-8")


def read_calibration(path: Path) -> ArmCalibration:
    """Return the calibration that `write_calibration` wrote; raises `InputError` for anything else."""
    try:
        record = json.loads(path.read_bytes())
        if record.pop("format") != FORMAT:
            raise ValueError("its format")
        servos = tuple(ServoCalibration(**servo) for servo in record.pop("servos"))
        return _sound(ArmCalibration(servos=servos, **record))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _file_error(f"{path.name!r} ({error})"[:200]) from error


def _sound(calibration: ArmCalibration) -> ArmCalibration:
    servos = calibration.servos
    ids = [servo.servo for servo in servos]
    ranges = all(0 <= servo.range_min < servo.range_max < TICKS_PER_TURN for servo in servos)
    numbers = all(math.isfinite(servo.zero_tick) and servo.sign in (-1, 1) for servo in servos)
    if len(set(ids)) != len(ids) or not ranges or not numbers or not all(0 <= number < 254 for number in ids):
        raise _file_error("two servos of one id, a range that is none, or a number that is not finite")
    return calibration


def _file_error(problem: str) -> InputError:
    return InputError(
        f"a calibration with {problem}",
        expected="stops of every joint, at those of its model within 3°",
        hint="Calibrate again from stop to stop; then `cousins cell calibration LEROBOT.json --body NAME -o FILE`.",
    )
