"""Any robot behind `cell_host.py`, in its own environment and usually on its own computer.

The host keeps limits of its own, holds after two ticks of silence and stops after half a second. The clock of the other
computer is not used: a measurement counts as old as its request.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cousins.errors import CellError, InputError
from sim.cells.cell import CellJoint, CellObservation, CellSpec, Sent, Target
from sim.cells.host.cell_host import PROTOCOL, STOP_SILENCE_S
from sim.wire.connection import WireConnection

VERSION: Final = "1"
ANSWER_TIMEOUT_S: Final = 0.25
"""Longest wait for an answer of the host [s]."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Where a host listens."""

    name: str = "remote"
    """Name of the cell."""
    url: str = "ws://127.0.0.1:8766"
    """Address that `cell_host.py` printed."""
    pack_digest: str = ""
    """Digest of the pack of the place where it stands."""


def build(config: Config) -> RemoteCell:
    """Return the driver; nothing is connected yet."""
    return RemoteCell(config)


def stop_line(config: Config) -> RemoteStopLine:
    """Return a connection of its own that can stop the robot."""
    return RemoteStopLine(config)


class RemoteCell:
    """The `Cell` protocol over a host's websocket."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._wire: WireConnection | None = None
        self._spec: CellSpec | None = None

    @property
    def spec(self) -> CellSpec:
        """What it is; known from `connect` on."""
        if self._spec is None:
            raise CellError("connect comes first", kind="not connected")
        return self._spec

    def connect(self) -> None:
        """Reach the host and read the description of its cell."""
        self._wire, plan = _connected(self.config.url)
        try:
            self._spec = CellSpec(
                name=self.config.name,
                body=str(plan["body"]),
                joints=tuple(
                    CellJoint(
                        name=str(joint["name"]),
                        unit="rad",
                        **{key: float(joint[key]) for key in ("low", "high", "max_speed", "max_accel")},
                    )
                    for joint in plan["joints"]
                ),
                has_gripper=plan.get("gripper") is not None,
                control_hz=float(plan["control_hz"]),
                actions=("joint_position",),
                pack_digest=self.config.pack_digest,
                vendor_watchdog_s=STOP_SILENCE_S,
                stop_kind="the host holds the present position and takes no more targets",
                domain=plan["domain"],
                driver=f"remote, {plan['name']}",
                version=VERSION,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _wrong_host(self.config.url, f"a description without {error}") from error

    def observe(self) -> CellObservation:
        """Return what the host measures now."""
        asked_ns = time.monotonic_ns()
        answer = self._ask({"op": "observe"})
        return CellObservation(
            seq=int(answer["seq"]),
            t_capture_ns=asked_ns,
            q=np.array(answer["q"], dtype=np.float64),
            dq=np.array(answer["dq"], dtype=np.float64),
            gripper=answer["gripper"],
            faults=tuple(answer["faults"]),
        )

    def send(self, target: Target) -> Sent:
        """Send positions, and return what the host sent on."""
        if target.q is None:
            raise CellError("speeds were sent to a host that takes positions", kind="wrong target")
        answer = self._ask({"op": "send", "seq": target.seq, "q": target.q, "gripper": target.gripper})
        return Sent(
            seq=target.seq,
            t_ns=time.monotonic_ns(),
            q=np.array(answer["q"], dtype=np.float64),
            dq=None,
            gripper=answer["gripper"],
        )

    def hold(self) -> None:
        """Let the host hold the present position."""
        self._ask({"op": "hold"})

    def stop(self, reason: str) -> None:
        """Let the host hold, and take no more targets until a person starts it again."""
        if self._wire is not None:
            self._ask({"op": "stop", "reason": reason})

    def close(self) -> None:
        """End the run, so that the silence that follows is none, and leave."""
        if self._wire is not None:
            self._wire.close(farewell={"op": "end"})
            self._wire = None

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        if self._wire is None:
            raise CellError("connect comes first", kind="not connected")
        return _answer(self._wire, message)


class RemoteStopLine:
    """A second connection to a host, for the stop alone."""

    def __init__(self, config: Config) -> None:
        self._wire, _ = _connected(config.url)

    def stop(self, reason: str) -> None:
        """Let the host stop."""
        _answer(self._wire, {"op": "stop", "reason": reason})

    def close(self) -> None:
        """Leave."""
        self._wire.close()


def _connected(url: str) -> tuple[WireConnection, dict[str, Any]]:
    wire = WireConnection(url)
    first = wire.metadata
    if first.get("cousins_cell") != PROTOCOL or not isinstance(first.get("spec"), dict):
        wire.close()
        raise _wrong_host(url, "no cell host of this version")
    return wire, first["spec"]


def _answer(wire: WireConnection, message: dict[str, Any]) -> dict[str, Any]:
    answer = wire.ask(message, timeout_s=ANSWER_TIMEOUT_S)
    if not isinstance(answer, dict) or "error" in answer:
        text = answer.get("error") if isinstance(answer, dict) else f"an answer {answer!r}"
        raise CellError(f"the host answers: {text}"[:300], kind="host")
    return answer


def _wrong_host(url: str, problem: str) -> InputError:
    return InputError(
        f"{problem} at {url}",
        expected="`cell_host.py` of this version",
        hint="Copy sim/cells/host/cell_host.py to the robot's computer again and start it there.",
    )
