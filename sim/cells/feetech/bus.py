"""A bus of Feetech servos on a serial port: requests with short deadlines, and a name for whatever goes wrong."""

from __future__ import annotations

import termios
import time
from collections.abc import Mapping, Sequence
from typing import Final, Self

import serial

from cousins.errors import CellError
from sim.cells.feetech.packets import (
    BROADCAST,
    PING,
    READ,
    WRITE,
    Packet,
    Register,
    encode,
    status_text,
    sync_read,
    sync_write,
    take_packet,
)

BAUD: Final = 1_000_000
REPLY_TIMEOUT_S: Final = 0.005
"""A servo replies within a fraction of a millisecond; by default so late a reply is lost [s]."""
PORT_ERRORS: Final = (serial.SerialException, OSError, termios.error)
"""What a port that is gone raises; `termios.error` is no `OSError`."""
TRIES: Final = 3
"""Requests before a lost reply is an error."""


class FeetechBus:
    """An open port; one request at a time."""

    def __init__(self, port: str, *, timeout_s: float = REPLY_TIMEOUT_S, exclusive: bool = True) -> None:
        """Open the port; raises `CellError` where it is missing or another program holds it.

        A reply later than `timeout_s` [s] is lost. A watchdog's line opens it without `exclusive`, beside the driver.
        """
        self.port = port
        self.timeout_s = timeout_s
        self.lost: dict[str, int] = {}
        self.status: dict[int, int] = {}
        try:
            self._serial = serial.Serial(port, BAUD, timeout=timeout_s, write_timeout=0.05)
            if exclusive:
                self._serial.exclusive = True
        except (serial.SerialException, OSError, ValueError) as error:
            raise CellError(
                f"{port} cannot be opened ({error}). Is it plugged in, and is nothing else using it?", kind="no port"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._serial.close()

    def ping(self, servo: int) -> None:
        """Return if a servo answers; raises `CellError` where it does not."""
        self._ask(encode(Packet(servo=servo, code=PING)), {servo: 0})

    def read(self, servo: int, register: Register) -> int:
        """Return the value of a servo's register."""
        request = encode(Packet(servo=servo, code=READ, parameters=bytes((register.address, register.size))))
        return register.decode(self._ask(request, {servo: register.size})[servo])

    def write(self, servo: int, register: Register, value: int) -> None:
        """Write a servo's register, and wait for its reply."""
        parameters = bytes((register.address,)) + register.encode(value)
        self._ask(encode(Packet(servo=servo, code=WRITE, parameters=parameters)), {servo: 0})

    def read_all(self, register: Register, servos: Sequence[int], *, size: int | None = None) -> dict[int, bytes]:
        """Return `size` bytes from a register on, by servo."""
        count = size or register.size
        return self._ask(sync_read(register, list(servos), size=count), dict.fromkeys(servos, count))

    def write_all(self, register: Register, values: Mapping[int, int]) -> None:
        """Write a register of several servos at once; none of them replies."""
        self._send(sync_write(register, values))

    def _ask(self, request: bytes, expected: Mapping[int, int]) -> dict[int, bytes]:
        """Return the parameters of each expected reply; a lost one is asked for again, a few times."""
        problem = ("no reply", "")
        for _ in range(TRIES):
            self._send(request, flush=True)
            replies, problem = self._replies(expected)
            if not problem[0]:
                return replies
            self.lost[problem[0]] = self.lost.get(problem[0], 0) + 1
        kind, detail = problem
        raise CellError(f"{detail} on {self.port}, {TRIES} times. Look at cable, power and ids.", kind=kind)

    def _send(self, request: bytes, *, flush: bool = False) -> None:
        try:
            if flush:
                self._serial.reset_input_buffer()
            self._serial.write(request)
        except PORT_ERRORS as error:
            raise _unplugged(self.port, error) from error

    def _replies(self, expected: Mapping[int, int]) -> tuple[dict[int, bytes], tuple[str, str]]:
        """Return the replies that came, and the kind and place of what is wrong with them."""
        replies: dict[int, bytes] = {}
        data = b""
        missing = sum(size + 6 for size in expected.values())
        deadline = time.monotonic() + self.timeout_s + 1e-5 * missing
        while len(replies) < len(expected):
            packet, data, problem = take_packet(data)
            if problem:
                return replies, (problem, f"a reply after {sorted(replies)}")
            if packet is not None:
                if packet.servo not in expected or packet.servo in replies:
                    return replies, ("wrong id", f"a reply of servo {packet.servo}, not of {_left(expected, replies)}")
                if len(packet.parameters) != expected[packet.servo]:
                    return replies, ("truncated reply", f"{len(packet.parameters)} bytes of servo {packet.servo}")
                self.status[packet.servo] = packet.code
                replies[packet.servo] = packet.parameters
                continue
            more = self._read_some()
            if not more and time.monotonic() > deadline:
                if len(data) > 3:
                    return replies, ("truncated reply", f"{len(data)} bytes of {_left(expected, replies)}")
                return replies, ("no reply", f"servo {_left(expected, replies)} is silent")
            data += more
        return replies, ("", "")

    def _read_some(self) -> bytes:
        try:
            return bytes(self._serial.read(max(1, self._serial.in_waiting)))
        except PORT_ERRORS as error:
            raise _unplugged(self.port, error) from error

    def status_faults(self, names: Mapping[int, str]) -> list[str]:
        """Return what servos reported in their last replies, in words."""
        return [
            f"{status_text(status)}: reported by {names[servo]} (servo {servo})"
            for servo, status in sorted(self.status.items())
            if status and servo in names
        ]


def _unplugged(port: str, error: Exception) -> CellError:
    return CellError(f"{port} is gone ({error}). Plug it in, look at the arm, then release the cell.", kind="unplugged")


def _left(expected: Mapping[int, int], replies: Mapping[int, bytes]) -> str:
    return ", ".join(str(servo) for servo in expected if servo not in replies and servo != BROADCAST)
