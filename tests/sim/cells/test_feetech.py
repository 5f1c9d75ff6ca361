"""Feetech's bus against a peer in another process: bytes, calibration, and a name for every fault."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cousins.errors import CellError, InputError
from sim.cells.backends.feetech import Config, FeetechCell, FeetechStopLine
from sim.cells.cell import Target
from sim.cells.feetech import packets
from sim.cells.feetech.bus import FeetechBus
from sim.cells.feetech.calibration import calibration_from_stops, read_calibration, write_calibration
from sim.cells.feetech.packets import Packet, encode, sync_read, sync_write, take_packet
from tests.sim.cells.feetech_for_tests import LIMITS, Peer, arm_calibration, lerobot_record, running_peer


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with running_peer(tmp_path) as running:
        yield running


def cell_of(peer: Peer) -> FeetechCell:
    return FeetechCell(Config(name="arm", port=peer.port, calibration=peer.calibration, reply_timeout_s=0.1))


def test_packets_are_the_bytes_of_the_data_sheet() -> None:
    assert encode(Packet(servo=1, code=packets.PING)) == bytes.fromhex("ffff010201fb")
    read = Packet(servo=1, code=packets.READ, parameters=bytes((56, 2)))
    assert encode(read) == bytes.fromhex("ffff01040238 02be".replace(" ", ""))
    assert sync_read(packets.POSITION, [1, 2]) == bytes.fromhex("fffffe0682380201023a")[:9] + bytes(
        (~(0xFE + 6 + 0x82 + 0x38 + 2 + 1 + 2) & 255,)
    )
    assert sync_write(packets.GOAL, {1: 2048, 2: -5}) == bytes.fromhex("fffffe0a832a02010008020580") + bytes(
        (~(0xFE + 10 + 0x83 + 0x2A + 2 + 1 + 0 + 8 + 2 + 5 + 0x80) & 255,)
    )


def test_signs_are_a_bit_and_not_a_complement() -> None:
    assert packets.POSITION.encode(-300) == (300 | 1 << 15).to_bytes(2, "little")
    assert packets.OFFSET.decode((77 | 1 << 11).to_bytes(2, "little")) == -77
    for register in (packets.POSITION, packets.OFFSET, packets.LOAD):
        for value in (-1023, -1, 0, 1, 1023):
            assert register.decode(register.encode(value)) == value
    with pytest.raises(ValueError, match="does not fit register 31"):
        packets.OFFSET.encode(2048)


def test_packets_are_taken_from_any_cut_of_the_stream() -> None:
    rng = np.random.default_rng(0)
    packets_sent = [
        Packet(
            servo=int(rng.integers(0, 253)),
            code=int(rng.integers(0, 64)),
            parameters=rng.bytes(int(rng.integers(0, 9))),
        )
        for _ in range(300)
    ]
    stream, data, got = b"\x00\xff" + b"".join(encode(packet) for packet in packets_sent), b"", []
    while stream:
        cut = int(rng.integers(1, 20))
        data, stream = data + stream[:cut], stream[cut:]
        while True:
            packet, data, problem = take_packet(data)
            assert not problem
            if packet is None:
                break
            got.append(packet)
    assert got == packets_sent


def test_an_arm_is_observed_moved_and_held(peer: Peer) -> None:
    cell = cell_of(peer)
    cell.connect()
    try:
        assert (cell.spec.domain, cell.spec.has_gripper, len(cell.spec.joints)) == ("peer", True, 5)
        first = cell.observe()
        goal = first.q + np.array([0.3, -0.2, 0.25, 0.1, -0.3])
        sent = cell.send(Target(seq=0, t_ns=time.monotonic_ns(), q=goal, gripper=0.25, valid_for_s=0.1))
        assert sent.q is not None
        np.testing.assert_allclose(sent.q, goal, atol=0.001)
        deadline = time.monotonic() + 5.0
        while np.abs((after := cell.observe()).q - goal).max() > 0.004 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        after = cell.observe()
        np.testing.assert_allclose(after.q, goal, atol=0.005)
        assert after.gripper == pytest.approx(0.25, abs=0.01)
        assert after.seq > first.seq
        cell.stop("test")
        cell.observe()
        ticks = peer.writes()[-1]
        assert ticks["goals"] == ticks["ticks"]
    finally:
        cell.close()


WIRE_FAULTS = {
    "drop": "no reply",
    "truncate": "truncated reply",
    "bad_checksum": "bad checksum",
    "wrong_id": "wrong id",
}


@pytest.mark.parametrize(("fault", "kind"), WIRE_FAULTS.items())
def test_a_fault_on_the_wire_is_named(peer: Peer, fault: str, kind: str) -> None:
    cell = cell_of(peer)
    cell.connect()
    peer.fault(fault)
    with pytest.raises(CellError, match=kind) as error:
        cell.observe()
    assert error.value.kind == kind
    peer.heal()
    cell.observe()
    cell.close()


def test_one_lost_reply_in_fifty_does_not_disturb(peer: Peer) -> None:
    cell = cell_of(peer)
    cell.connect()
    peer.fault("truncate", 0.005)
    for _ in range(200):
        cell.observe()
    cell.close()


STATUS_FAULTS = {
    "overload": "overload: reported by shoulder_pan",
    "overheating": "overheating: reported by shoulder_pan",
    "overcurrent": "overcurrent: reported by shoulder_pan",
    "voltage": "voltage: reported by shoulder_pan",
    "angle": "angle: reported by shoulder_pan",
    "overheating_silent": "overheating: shoulder_pan (servo 1) at 70 °C",
    "brown_out": "brown-out: shoulder_pan (servo 1) at 5.1 V",
}


@pytest.mark.parametrize(("fault", "words"), STATUS_FAULTS.items())
def test_a_fault_of_a_servo_is_named(peer: Peer, fault: str, words: str) -> None:
    cell = cell_of(peer)
    cell.connect()
    assert cell.observe().faults == ()
    peer.fault(fault)
    cell._health_due_s = 0.0
    assert words in cell.observe().faults[0]
    cell.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("swapped_ids", "swapped ids: servo 1 .shoulder_pan. has the memory of servo 2"),
        (
            "stale_calibration",
            "a stale calibration: servo 1 .shoulder_pan. has offset and stops .*cousins cell calibration",
        ),
        ("wrong_model", "wrong model: servo 1 .shoulder_pan. is of model 1284"),
    ],
)
def test_an_arm_that_is_not_the_calibrated_one_is_refused_before_torque_is_on(
    peer: Peer, fault: str, words: str
) -> None:
    peer.fault(fault)
    cell = cell_of(peer)
    with pytest.raises((CellError, InputError), match=words):
        cell.connect()
    cell.close()
    with FeetechBus(peer.port) as bus:
        assert [bus.read(number, packets.TORQUE_ON) for number in range(1, 7)] == [0] * 6
    assert peer.writes() == []


def test_an_unplugged_arm_is_named_by_driver_and_stop_line(peer: Peer) -> None:
    cell, line = cell_of(peer), FeetechStopLine(Config(port=peer.port, calibration=peer.calibration))
    cell.connect()
    peer.fault("unplug")
    with pytest.raises(CellError, match=r"unplugged: .* Plug it in"):
        cell.observe()
    with pytest.raises(CellError, match="unplugged"):
        line.stop("test")


def test_a_port_that_is_missing_or_taken_is_named(peer: Peer, tmp_path: Path) -> None:
    for port in ("/dev/ttyMISSING", str(tmp_path)):
        with pytest.raises(CellError, match="no port"):
            FeetechCell(Config(port=port, calibration=peer.calibration)).connect()
    cell = cell_of(peer)
    cell.connect()
    with pytest.raises(CellError, match="nothing else using it"):
        FeetechBus(peer.port)
    cell.close()


def test_zero_and_sign_follow_from_the_stops(tmp_path: Path) -> None:
    calibration = arm_calibration()
    for servo in calibration.arm:
        assert servo.limits == pytest.approx(LIMITS[servo.name], abs=0.003)
        assert servo.zero_error_rad < 0.002
        ends = (servo.angle(servo.range_min), servo.angle(servo.range_max))
        assert (ends[0] < ends[1]) == (servo.name != "elbow_flex")
    write_calibration(calibration, tmp_path / "arm.json")
    assert read_calibration(tmp_path / "arm.json") == calibration


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"range_max": 3900}, r"'shoulder_lift' with .*° between its stops, where the model has 200\.5°"),
        ({"id": 1}, "two servos of one id"),
        ({"range_min": 3500}, "between its stops"),
        ({"homing_offset": "x"}, "an entry of 'shoulder_lift'"),
    ],
)
def test_stops_that_are_not_those_of_the_model_are_refused(changes: dict[str, object], words: str) -> None:
    record = lerobot_record()
    record["shoulder_lift"] |= changes
    with pytest.raises(InputError, match=words):
        calibration_from_stops(record, LIMITS, body="so101", gripper="gripper")
    del record["shoulder_lift"]
    with pytest.raises(InputError, match="no servo for the joint 'shoulder_lift'"):
        calibration_from_stops(record, LIMITS, body="so101", gripper="gripper")


def test_a_damaged_calibration_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "arm.json"
    write_calibration(arm_calibration(), path)
    record = json.loads(path.read_text())
    for broken in ("", "[]", "{}", json.dumps(record | {"format": "9"}), json.dumps(record | {"servos": [{}]})):
        path.write_text(broken)
        with pytest.raises(InputError, match="Calibrate again"):
            read_calibration(path)
    bad = replace(arm_calibration(), servos=tuple(replace(s, zero_tick=math.nan) for s in arm_calibration().servos))
    write_calibration(bad, path)
    with pytest.raises(InputError, match="not finite"):
        read_calibration(path)
