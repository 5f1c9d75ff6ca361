"""The host of a remote cell: one file to copy beside any robot stack (LeRobot, ROS, a lab's own).

    python cell_host.py CELL.json --robot my_lab:make_robot

It needs Python 3.10, msgpack, numpy and websockets, and nothing of cousins. `make_robot()` returns an object with
LeRobot's ten members: observation_features, action_features, is_connected, connect, is_calibrated, calibrate,
configure, get_observation, send_action, disconnect. CELL.json names the joints, their keys in that object's
dictionaries, and limits that this side keeps whatever is sent; `unit` is what one unit of the robot's is in radians:

    {"name": "lab-so101", "body": "so101", "domain": "hardware", "control_hz": 30.0,
     "joints": [{"name": "shoulder_pan", "key": "shoulder_pan.pos", "unit": 0.0174533,
                 "low": -1.9, "high": 1.9, "max_speed": 1.5, "max_accel": 8.0}],
     "gripper": {"key": "gripper.pos", "shut": 0.0, "open": 100.0}}

Silence of more than two ticks makes the robot hold, of more than half a second stops it: then nothing is sent until a
person starts this program again. It is no rated safety function.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

PROTOCOL = 1
"""Version of the messages."""
MAX_FRAME_BYTES = 1 << 24
"""Largest message."""
STOP_SILENCE_S = 0.5
"""After so long a silence the robot is stopped [s]."""
MEMBERS = (
    *("observation_features", "action_features", "is_connected", "connect", "is_calibrated"),
    *("calibrate", "configure", "get_observation", "send_action", "disconnect"),
)
"""What a robot object must have."""
log = logging.getLogger("cell_host")


def pack(value: Any) -> bytes:
    """Return a value as msgpack, arrays as openpi writes them."""
    return bytes(msgpack.packb(value, default=_array_to_map))


def unpack(data: bytes) -> Any:
    """Return the value of msgpack; raises `ValueError` for anything else."""
    return msgpack.unpackb(data, object_hook=_map_to_array, strict_map_key=False)


def _array_to_map(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind not in "VOc":
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    raise ValueError(f"{type(value).__name__} cannot be sent")


def _map_to_array(record: dict[Any, Any]) -> Any:
    if b"__ndarray__" not in record:
        return record
    dtype = np.dtype(record[b"dtype"])
    if dtype.kind in "VOc":
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(record[b"data"], dtype=dtype).reshape(record[b"shape"])


class RobotHost:
    """A robot object behind limits, a lock and a clock."""

    def __init__(self, plan: dict[str, Any], robot: Any) -> None:
        """Check limits and members; raises `ValueError` for what is missing."""
        lacking = [name for name in MEMBERS if not hasattr(robot, name)]
        if lacking:
            raise ValueError(f"a robot object without {', '.join(lacking)}")
        self.plan, self.robot = plan, robot
        self.joints: list[dict[str, Any]] = plan["joints"]
        limits = np.array(
            [[joint[key] for key in ("unit", "low", "high", "max_speed", "max_accel")] for joint in self.joints], float
        )
        self.unit, self.low, self.high, self.max_speed, _ = limits.T
        sound = np.isfinite(limits).all() and (self.low < self.high).all() and (limits[:, 3:] > 0.0).all()
        if not sound or plan["domain"] not in ("hardware", "peer", "sim") or not 0.0 < plan["control_hz"] < 1000.0:
            raise ValueError("limits that are missing, not finite or not positive, or a domain that is none")
        self.period_s = 1.0 / plan["control_hz"]
        self.lock = threading.RLock()
        self.stopped = ""
        self._seq, self._number = -1, 0
        self._goal: Any = None
        self._last: tuple[float, Any] | None = None
        self._heard_s, self._is_active, self._is_held = 0.0, False, False

    def answer(self, message: Any) -> dict[str, Any]:
        """Return the answer to a message of a client."""
        if not isinstance(message, dict):
            return {"error": "a message that is no map"}
        with self.lock:
            operation = message.get("op")
            if operation == "observe":
                return self._observation()
            if operation == "send":
                return self._send(message)
            if operation in ("hold", "end"):
                self._hold()
                self._is_active = False if operation == "end" else self._is_active
                return {"ok": True}
            if operation == "stop":
                self.stop(str(message.get("reason", ""))[:200])
                return {"ok": True}
        return {"error": f"no operation {operation!r}"}

    def stop(self, reason: str) -> None:
        """Hold, and send nothing more."""
        with self.lock:
            if not self.stopped:
                self._hold()
                log.warning("stopped: %s; start this program again to go on", reason)
            self.stopped = self.stopped or reason or "stopped"
            self._is_active = False

    def watch_silence(self, ended: threading.Event) -> None:
        """Hold after two ticks without a target, stop after half a second."""
        while not ended.wait(0.005):
            with self.lock:
                silence_s = time.monotonic() - self._heard_s
                if self._is_active and silence_s > STOP_SILENCE_S:
                    self.stop(f"no target for {silence_s:.2f} s")
                elif self._is_active and silence_s > 2.0 * self.period_s and not self._is_held:
                    self._hold()

    def _measured(self) -> tuple[Any, float | None]:
        values = self.robot.get_observation()
        q = np.array([float(values[joint["key"]]) for joint in self.joints]) * self.unit
        gripper = self.plan.get("gripper")
        if gripper is None:
            return q, None
        opening = (float(values[gripper["key"]]) - gripper["shut"]) / (gripper["open"] - gripper["shut"])
        return q, min(max(opening, 0.0), 1.0)

    def _observation(self) -> dict[str, Any]:
        q, opening = self._measured()
        now = time.monotonic()
        dq = np.zeros(len(q))
        if self._last is not None and now > self._last[0]:
            dq = (q - self._last[1]) / (now - self._last[0])
        self._last = (now, q)
        self._number += 1
        faults = [f"stopped: {self.stopped}"] if self.stopped else []
        return {"seq": self._number, "q": q, "dq": dq, "gripper": opening, "faults": faults}

    def _send(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a target within this side's own limits; whatever is wrong with it stops the robot."""
        q: Any = message.get("q")
        seq, opening = message.get("seq"), message.get("gripper")
        if self.stopped:
            return {"error": f"stopped: {self.stopped}"}
        sound = isinstance(q, np.ndarray) and q.shape == self.low.shape and q.dtype.kind == "f" and np.isfinite(q).all()
        if not sound or not isinstance(seq, int) or seq <= self._seq:
            self.stop("a target with a wrong size, order, or a number that is not finite")
            return {"error": self.stopped}
        now = time.monotonic()
        start = self._goal if self._goal is not None and self._is_active else self._measured()[0]
        reach = self.max_speed * (min(now - self._heard_s, self.period_s) if self._is_active else self.period_s)
        goal = np.clip(np.clip(q, start - reach, start + reach), self.low, self.high)
        self._seq, self._goal, self._heard_s = seq, goal, now
        self._is_active, self._is_held = True, False
        sent = self._write(goal, opening)
        return {"q": sent, "gripper": opening}

    def _write(self, q: Any, opening: float | None) -> Any:
        action = {joint["key"]: float(value) for joint, value in zip(self.joints, q / self.unit, strict=True)}
        gripper = self.plan.get("gripper")
        if gripper is not None and isinstance(opening, (int, float)) and np.isfinite(opening):
            share = min(max(float(opening), 0.0), 1.0)
            action[gripper["key"]] = gripper["shut"] + share * (gripper["open"] - gripper["shut"])
        sent = self.robot.send_action(action) or action
        return np.array([float(sent.get(joint["key"], action[joint["key"]])) for joint in self.joints]) * self.unit

    def _hold(self) -> None:
        self._goal, _ = self._measured()
        self._write(np.clip(self._goal, self.low, self.high), None)
        self._is_held = True


def handle(host: RobotHost, connection: ServerConnection) -> None:
    """Serve one client until it leaves; what fails in the robot's own code stops the robot."""
    connection.send(pack({"cousins_cell": PROTOCOL, "spec": host.plan}))
    try:
        for data in connection:
            try:
                answer = host.answer(unpack(data) if isinstance(data, bytes) else None)
            except Exception as error:
                log.exception("the robot's code failed")
                host.stop(f"{type(error).__name__}: {error}")
                answer = {"error": f"{type(error).__name__}: {error}"}
            connection.send(pack(answer))
    except ConnectionClosed:
        log.info("a client left")


def main() -> int:
    """Connect the robot and serve until interrupted; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path, metavar="CELL.json", help="joints, keys and limits")
    parser.add_argument("--robot", required=True, metavar="MODULE:FUNCTION", help="what makes the robot object")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8766, help="port to listen on; 0 picks one (8766)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    module, _, function = arguments.robot.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    robot = getattr(importlib.import_module(module), function)()
    host = RobotHost(json.loads(arguments.plan.read_text(encoding="utf-8")), robot)
    robot.connect()
    ended = threading.Event()
    threading.Thread(target=host.watch_silence, args=(ended,), daemon=True).start()
    with serve(
        lambda connection: handle(host, connection),
        arguments.host,
        arguments.port,
        max_size=MAX_FRAME_BYTES,
        compression=None,
    ) as server:
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        sys.stdout.write(json.dumps({"url": f"ws://{arguments.host}:{server.socket.getsockname()[1]}"}) + "\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            log.info("interrupted")
    ended.set()
    host.stop("the host ended")
    robot.disconnect()
    return 0


if __name__ == "__main__":
    sys.exit(main())
