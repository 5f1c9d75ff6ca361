"""A host in another process with a robot object of LeRobot's shape, in degrees."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = Path(__file__).parents[3] / "sim/cells/host/cell_host.py"
UNIT = 0.017453292519943295
PLAN: dict[str, Any] = {
    "name": "bench",
    "body": "so101",
    "domain": "peer",
    "control_hz": 30.0,
    "joints": [
        {
            "name": name,
            "key": f"{name}.pos",
            "unit": UNIT,
            "low": -1.5,
            "high": 1.5,
            "max_speed": 2.0,
            "max_accel": 10.0,
        }
        for name in ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
    ],
    "gripper": {"key": "gripper.pos", "shut": 0.0, "open": 100.0},
}
ROBOT = '''
import json, os, time


class Robot:
    """Motors that follow their goals by 100 degrees a second; each action is logged with the monotonic time."""

    def __init__(self):
        self.keys = [joint["key"] for joint in json.load(open("cell.json"))["joints"]] + ["gripper.pos"]
        self.goal = dict.fromkeys(self.keys, 0.0)
        self.place, self.time = dict(self.goal), time.monotonic()
        self.observation_features = self.action_features = dict.fromkeys(self.keys, float)
        self.is_connected, self.is_calibrated = False, True
        self.log = open("actions.jsonl", "a")

    def connect(self, calibrate=True):
        self.is_connected = True

    def calibrate(self):
        pass

    def configure(self):
        pass

    def get_observation(self):
        if os.path.exists("break"):
            raise RuntimeError("motor 3 does not answer")
        now = time.monotonic()
        most, self.time = 100.0 * (now - self.time), now
        for key in self.keys:
            gap = self.goal[key] - self.place[key]
            self.place[key] += min(max(gap, -most), most)
        return dict(self.place)

    def send_action(self, action):
        self.goal.update(action)
        self.log.write(json.dumps({"t_ns": time.monotonic_ns(), "goals": action, "places": self.place}) + "\\n")
        self.log.flush()
        return action

    def disconnect(self):
        self.is_connected = False
'''


@dataclass(frozen=True)
class Host:
    """A running host."""

    url: str
    folder: Path
    process: subprocess.Popen[str]

    def actions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "actions.jsonl").read_text().splitlines()]


@contextmanager
def running_host(folder: Path, plan: dict[str, Any] = PLAN) -> Iterator[Host]:
    (folder / "cell.json").write_text(json.dumps(plan))
    (folder / "my_lab.py").write_text(ROBOT)
    words = [sys.executable, str(HOST), "cell.json", "--robot", "my_lab:Robot", "--port", "0"]
    log = (folder / "host.log").open("w")
    with log, subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            assert process.stdout is not None
            yield Host(json.loads(process.stdout.readline())["url"], folder, process)
        finally:
            process.kill()
            time.sleep(0.0)
