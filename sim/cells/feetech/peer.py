"""A peer of an arm of Feetech servos: a program that speaks their bytes on a pseudo-terminal, with faults on request.

    python -m sim.cells.feetech.peer CALIBRATION.json

It prints one line of JSON with the port to open. Motors follow their goals with limited speed and a lag; there is no
arm around them, so nothing falls or collides. Lines on standard input change it: `fault KIND SHARE`, `none`. What it
received is written to `--log`, a line for each write of goals, with the positions that it reported last and the
monotonic time. It can prove that a driver
speaks and fails as it should, never that a robot would have done the task.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import selectors
import sys
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TextIO

from sim.cells.feetech import packets
from sim.cells.feetech.calibration import ArmCalibration, ServoCalibration, read_calibration
from sim.cells.feetech.packets import Packet, encode, take_packet

FAULTS: Final = (
    "drop",
    "truncate",
    "bad_checksum",
    "wrong_id",
    "overload",
    "overheating",
    "overheating_silent",
    "overcurrent",
    "voltage",
    "brown_out",
    "angle",
    "unplug",
    "swapped_ids",
    "stale_calibration",
    "wrong_model",
    "stuck",
)
"""What can go wrong: on the wire, in a servo, at the plug, and in who is who."""
STATUS_OF_FAULT: Final = {"voltage": 1, "angle": 2, "overheating": 4, "overcurrent": 8, "overload": 32}
MAX_TICKS_S: Final = 3000.0
"""Largest speed of a motor [ticks/s]."""
LAG_S: Final = 0.03
"""Time constant with which a motor follows its goal [s]."""
STEP_S: Final = 0.002


class Servo:
    """One servo: its memory, and its motor."""

    def __init__(self, calibration: ServoCalibration, home_tick: float) -> None:
        self.memory = bytearray(90)
        self.tick, self.speed, self.reported = home_tick, 0.0, round(home_tick)
        self.put(packets.MODEL, packets.MODEL_STS3215)
        self.put(packets.MIN_POSITION, calibration.range_min)
        self.put(packets.MAX_POSITION, calibration.range_max)
        self.put(packets.OFFSET, calibration.homing_offset)
        self.put(packets.VOLTAGE, 74)
        self.put(packets.TEMPERATURE, 31)
        self.put(packets.LOCK, 1)
        self.put(packets.GOAL, round(home_tick))

    def put(self, register: packets.Register, value: int) -> None:
        """Set a register."""
        self.memory[register.address : register.address + register.size] = register.encode(value)

    def get(self, register: packets.Register) -> int:
        """Return a register's value."""
        return register.decode(bytes(self.memory[register.address : register.address + register.size]))

    def step(self, *, stuck: bool) -> None:
        """Advance the motor by one time step."""
        gap = self.get(packets.GOAL) - self.tick
        on = self.get(packets.TORQUE_ON) and not stuck
        self.speed = min(max(gap / LAG_S, -MAX_TICKS_S), MAX_TICKS_S) if on else 0.0
        self.tick += self.speed * STEP_S
        self.put(packets.POSITION, round(self.tick))
        self.put(packets.SPEED, round(self.speed))
        self.put(packets.LOAD, min(999, round(abs(gap) * 0.5)))


class Peer:
    """All servos behind one end of a pseudo-terminal."""

    def __init__(self, calibration: ArmCalibration, log: TextIO | None) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.servos = {
            servo.servo: Servo(servo, 0.5 * (servo.range_min + servo.range_max)) for servo in calibration.servos
        }
        self.fault, self.share = "none", 1.0
        self._rng, self._log, self._data = random.Random(0), log, b""
        self._last = time.monotonic()

    def set_fault(self, fault: str, share: float) -> None:
        """Begin a fault; those of identity and of the plug act at once."""
        self.fault, self.share = fault, share
        first = next(iter(self.servos.values()))
        numbers = list(self.servos)
        if fault == "unplug":
            os.close(self.master)
            os.close(self._slave)
        elif fault == "swapped_ids":
            a, b = numbers[0], numbers[1]
            self.servos[a], self.servos[b] = self.servos[b], self.servos[a]
        elif fault == "stale_calibration":
            first.put(packets.OFFSET, first.get(packets.OFFSET) + 200)
        elif fault == "wrong_model":
            first.put(packets.MODEL, 1284)
        elif fault == "brown_out":
            for servo in self.servos.values():
                servo.put(packets.VOLTAGE, 51)
        elif fault == "overheating_silent":
            first.put(packets.TEMPERATURE, 70)

    def advance(self) -> None:
        """Move the motors up to now."""
        now = time.monotonic()
        for _ in range(min(200, int((now - self._last) / STEP_S))):
            self._last += STEP_S
            for servo in self.servos.values():
                servo.step(stuck=self.fault == "stuck")
        self._last = max(self._last, now - 0.4)

    def receive(self) -> None:
        """Read what a driver wrote and answer it."""
        self._data += os.read(self.master, 4096)
        while True:
            packet, self._data, problem = take_packet(self._data)
            if packet is None and not problem:
                return
            if packet is not None:
                self._answer(packet)

    def _answer(self, packet: Packet) -> None:
        if packet.code == packets.SYNC_WRITE:
            self._write_all(packet.parameters)
        elif packet.code == packets.SYNC_READ:
            address, size, *numbers = packet.parameters
            for number in numbers:
                self._reply(number, address, size)
        elif packet.servo in self.servos:
            if packet.code == packets.READ:
                self._reply(packet.servo, packet.parameters[0], packet.parameters[1])
            elif packet.code == packets.WRITE:
                address, data = packet.parameters[0], packet.parameters[1:]
                self.servos[packet.servo].memory[address : address + len(data)] = data
                self._reply(packet.servo, 0, 0)
            elif packet.code == packets.PING:
                self._reply(packet.servo, 0, 0)

    def _write_all(self, parameters: bytes) -> None:
        address, size, data = parameters[0], parameters[1], parameters[2:]
        for start in range(0, len(data) - size, size + 1):
            number = data[start]
            if number in self.servos:
                self.servos[number].memory[address : address + size] = data[start + 1 : start + 1 + size]
        if address == packets.GOAL.address and self._log is not None:
            goals = [servo.get(packets.GOAL) for servo in self.servos.values()]
            ticks = [servo.reported for servo in self.servos.values()]
            self._log.write(json.dumps({"t_ns": time.monotonic_ns(), "goals": goals, "ticks": ticks}) + "\n")
            self._log.flush()

    def _reply(self, number: int, address: int, size: int) -> None:
        if number not in self.servos:
            return
        afflicted = self._rng.random() < self.share
        fault = self.fault if afflicted else "none"
        servo = self.servos[number]
        status = STATUS_OF_FAULT.get(fault, 0) if number == next(iter(self.servos)) else 0
        data = bytes(servo.memory[address : address + size])
        if address == packets.POSITION.address:
            servo.reported = servo.get(packets.POSITION)
        answered = number + 40 if fault == "wrong_id" else number
        reply = encode(Packet(servo=answered, code=status, parameters=data))
        if fault == "drop":
            return
        if fault == "truncate":
            reply = reply[:-2]
        if fault == "bad_checksum":
            reply = reply[:-1] + bytes((reply[-1] ^ 0x55,))
        os.write(self.master, reply)


def serve(peer: Peer, commands: TextIO) -> None:
    """Answer until standard input ends."""
    selector = selectors.DefaultSelector()
    selector.register(peer.master, selectors.EVENT_READ, "bytes")
    selector.register(commands, selectors.EVENT_READ, "command")
    while True:
        events = {key.data for key, _ in selector.select(timeout=STEP_S)}
        if "command" in events:
            words = commands.readline().split()
            if not words:
                return
            if words[0] == "fault" and words[1] == "unplug":
                selector.unregister(peer.master)
            if words[0] == "fault":
                peer.set_fault(words[1], float(words[2]) if len(words) > 2 else 1.0)
            else:
                peer.fault = "none"
            sys.stdout.write("done\n")
            sys.stdout.flush()
            continue
        peer.advance()
        if "bytes" in events:
            peer.receive()


def main(words: Sequence[str] | None = None) -> None:
    """Open a pseudo-terminal, print its name, and answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calibration", type=Path, help="calibration file of the arm")
    parser.add_argument("--log", type=Path, help="file for a line for each write of goals")
    arguments = parser.parse_args(words)
    log = arguments.log.open("a", encoding="utf-8") if arguments.log else None
    peer = Peer(read_calibration(arguments.calibration), log)
    sys.stdout.write(json.dumps({"port": peer.port}) + "\n")
    sys.stdout.flush()
    serve(peer, sys.stdin)


if __name__ == "__main__":
    main()
