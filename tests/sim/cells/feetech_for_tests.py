"""A calibration of an arm that does not exist, and a peer of it in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim.cells.feetech.calibration import ArmCalibration, calibration_from_stops, write_calibration

LIMITS = {
    "shoulder_pan": (-1.92, 1.92),
    "shoulder_lift": (-1.75, 1.75),
    "elbow_flex": (-1.69, 1.69),
    "wrist_flex": (-1.66, 1.66),
    "wrist_roll": (-2.74, 2.84),
    "gripper": (-0.17, 1.75),
}
"""Joint limits of an SO-101's model [rad]."""


def lerobot_record() -> dict[str, Any]:
    """Return a calibration as LeRobot writes it, whose stops are those of the model."""
    record = {}
    for number, (name, (low, high)) in enumerate(LIMITS.items(), start=1):
        travel = round((high - low) * 4096 / 6.283185307)
        first = 2048 - travel // 2 + 7 * number
        record[name] = {
            "id": number,
            "drive_mode": int(name == "elbow_flex"),
            "homing_offset": 100 * number - 300,
            "range_min": first,
            "range_max": first + travel,
        }
    return record


def arm_calibration() -> ArmCalibration:
    return calibration_from_stops(lerobot_record(), LIMITS, body="so101", gripper="gripper")


class Peer:
    """A running peer."""

    def __init__(self, process: subprocess.Popen[str], calibration: Path, log: Path) -> None:
        self.process, self.calibration, self.log = process, calibration, log
        assert process.stdout is not None
        self.port = json.loads(process.stdout.readline())["port"]

    def fault(self, kind: str, share: float = 1.0) -> None:
        self._command(f"fault {kind} {share}")

    def heal(self) -> None:
        self._command("none")

    def writes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def _command(self, line: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@contextmanager
def running_peer(folder: Path) -> Iterator[Peer]:
    path, log = folder / "arm.json", folder / "writes.jsonl"
    write_calibration(arm_calibration(), path)
    log.touch()
    words = [sys.executable, "-m", "sim.cells.feetech.peer", str(path), "--log", str(log)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process, path, log)
        finally:
            process.kill()
