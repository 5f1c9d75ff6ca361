"""Packets and registers of Feetech's STS servos, byte by byte.

A packet is `FF FF id length instruction parameters checksum`; the length counts what follows it, and the checksum is
the complement of the sum from the id on. A reply has the servo's status in place of the instruction. Numbers are
little-endian; those with a sign keep it in one bit, not in two's complement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HEADER: Final = b"\xff\xff"
BROADCAST: Final = 254
PING: Final = 1
READ: Final = 2
WRITE: Final = 3
SYNC_READ: Final = 0x82
SYNC_WRITE: Final = 0x83
TICKS_PER_TURN: Final = 4096
MODEL_STS3215: Final = 777
STATUS_BITS: Final[dict[int, str]] = {
    1: "voltage",
    2: "angle",
    4: "overheating",
    8: "overcurrent",
    32: "overload",
}
"""What a servo reports in the status of a reply, by bit."""


@dataclass(frozen=True, kw_only=True)
class Register:
    """One value in a servo's memory."""

    address: int
    """First byte."""
    size: int
    """Bytes, 1 or 2."""
    sign_bit: int | None = None
    """Bit that holds the sign; None for values without one."""

    def encode(self, value: int) -> bytes:
        """Return a value as bytes; raises `ValueError` where it does not fit."""
        limit = 1 << (8 * self.size if self.sign_bit is None else self.sign_bit)
        if abs(value) >= limit or (value < 0 and self.sign_bit is None):
            raise ValueError(f"{value} does not fit register {self.address}")
        sign = 0 if value >= 0 or self.sign_bit is None else 1 << self.sign_bit
        return (abs(value) | sign).to_bytes(self.size, "little")

    def decode(self, data: bytes) -> int:
        """Return the value of bytes."""
        value = int.from_bytes(data, "little")
        if self.sign_bit is None:
            return value
        size = value & ((1 << self.sign_bit) - 1)
        return -size if value >> self.sign_bit & 1 else size


MODEL: Final = Register(address=3, size=2)
RETURN_DELAY: Final = Register(address=7, size=1)
MIN_POSITION: Final = Register(address=9, size=2)
MAX_POSITION: Final = Register(address=11, size=2)
TORQUE_LIMIT: Final = Register(address=16, size=2)
OFFSET: Final = Register(address=31, size=2, sign_bit=11)
MODE: Final = Register(address=33, size=1)
TORQUE_ON: Final = Register(address=40, size=1)
ACCELERATION: Final = Register(address=41, size=1)
GOAL: Final = Register(address=42, size=2, sign_bit=15)
LOCK: Final = Register(address=55, size=1)
POSITION: Final = Register(address=56, size=2, sign_bit=15)
SPEED: Final = Register(address=58, size=2, sign_bit=15)
LOAD: Final = Register(address=60, size=2, sign_bit=10)
VOLTAGE: Final = Register(address=62, size=1)
TEMPERATURE: Final = Register(address=63, size=1)
CURRENT: Final = Register(address=69, size=2, sign_bit=15)


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One packet; `code` is the instruction, or the status of a reply."""

    servo: int
    """Number of the servo, or `BROADCAST`."""
    code: int
    """Instruction, or status bits."""
    parameters: bytes = b""
    """What follows."""


def checksum(body: bytes) -> int:
    """Return the checksum of a packet's bytes from the id on."""
    return ~sum(body) & 0xFF


def encode(packet: Packet) -> bytes:
    """Return the bytes of a packet."""
    body = bytes((packet.servo, len(packet.parameters) + 2, packet.code)) + packet.parameters
    return HEADER + body + bytes((checksum(body),))


def sync_read(register: Register, servos: list[int], *, size: int | None = None) -> bytes:
    """Return the bytes that ask several servos for `size` bytes from a register on."""
    parameters = bytes((register.address, size or register.size, *servos))
    return encode(Packet(servo=BROADCAST, code=SYNC_READ, parameters=parameters))


def sync_write(register: Register, values: Mapping[int, int]) -> bytes:
    """Return the bytes that write a register of several servos; none of them replies."""
    parts = b"".join(bytes((servo,)) + register.encode(value) for servo, value in values.items())
    parameters = bytes((register.address, register.size)) + parts
    return encode(Packet(servo=BROADCAST, code=SYNC_WRITE, parameters=parameters))


def take_packet(data: bytes) -> tuple[Packet | None, bytes, str]:
    """Return the first packet of received bytes, what is left of them, and what is wrong with it.

    The packet is None where more bytes are needed, or where the checksum does not fit; bytes before a header are left
    out.
    """
    start = data.find(HEADER)
    if start < 0:
        return None, data[-1:] if data.endswith(b"\xff") else b"", ""
    data = data[start:]
    while len(data) > 2 and data[2] == 0xFF:
        data = data[1:]
    if len(data) < 4 or len(data) < 4 + data[3]:
        return None, data, ""
    end = 4 + data[3]
    body, rest = data[2 : end - 1], data[end:]
    if data[3] < 2 or checksum(body) != data[end - 1]:
        cut_short = data.find(HEADER, 3, end)
        return None, data[max(cut_short, 2) :], "bad checksum" if cut_short < 0 else "truncated reply"
    return Packet(servo=body[0], code=body[2], parameters=body[3:]), rest, ""


def status_text(status: int) -> str:
    """Return what status bits mean, in words; empty for 0."""
    return ", ".join(text for bit, text in STATUS_BITS.items() if status & bit) or (
        f"status {status}" if status else ""
    )
