"""`cousins cell` and `cousins policy serve` from the command line, against a peer and a simulated cell."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from sim.bodies import build
from sim.cells.feetech.calibration import read_calibration
from sim.train.policies import write_policy
from tests.sim.cells.feetech_for_tests import LIMITS, Peer, lerobot_record, running_peer
from tests.sim.cells.policies_for_tests import joint_policy


@pytest.fixture(autouse=True)
def folder_of_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUSINS_CELLS", str(tmp_path / "cells"))


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with running_peer(tmp_path) as running:
        yield running


def answer(*words: str) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run([*words, "--json"], output)
    result: dict[str, Any] = json.loads(output.getvalue())
    return result, code


def cell_file(peer: Peer, folder: Path, urdf: Path, *, more: str = "") -> str:
    path = folder / "cell.toml"
    path.write_text(
        f'cell = "feetech"\nname = "bench"\nsilence_s = 0.5\n{more}'
        f'[driver]\nport = "{peer.port}"\ncalibration = "arm.json"\ncontrol_hz = 20.0\n'
        f'[body]\nname = "so101"\nurdf = "{urdf}"\n'
        "[workspace]\nlow_m = [-0.6, -0.6, -0.6]\nhigh_m = [0.6, 0.6, 0.6]\n"
    )
    return str(path)


@pytest.fixture
def urdf(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue("shared_data")("robots/so101")
    return folder / "so101_new_calib.urdf"


def test_an_arm_is_checked_run_stopped_and_released(peer: Peer, tmp_path: Path, urdf: Path) -> None:
    file = cell_file(peer, tmp_path, urdf)
    write_policy(joint_policy(build("so101", urdf=urdf), gain=0.05), tmp_path / "policy")
    run_words = ("cell", "run", file, "--policy", str(tmp_path / "policy"), "--seconds")
    slow, code = answer(*run_words, "1", "-o", str(tmp_path / "out"))
    assert (code, slow["domain"], slow["speed_share"]) == (0, "peer", 0.25), slow
    assert slow["ticks"] > 10
    lines = (tmp_path / "out/ticks.jsonl").read_text().splitlines()
    assert len(lines) == slow["ticks"]
    assert json.loads((tmp_path / "out/run.json").read_text())["domain"] == "peer"
    check, code = answer("cell", "check", file, "--move")
    assert (code, check["ok"], check["moved"], check["domain"]) == (0, True, True, "peer"), check["findings"]
    assert list(check["numbers"]["joints"]) == list(LIMITS)[:5]
    fast, code = answer(*run_words, "0.5")
    assert (code, fast["speed_share"]) == (0, 1.0)
    stopped, code = answer("cell", "stop", file)
    assert (code, stopped["reached"]) == (0, True)
    refused, code = answer("cell", "run", file, "--policy", str(tmp_path / "policy"))
    assert code == 1
    assert "bench was stopped: stopped by command (by the operator)" in refused["error"]["found"]
    wrong, code = answer("cell", "release", file, "--confirm", "other")
    assert (code, wrong["error"]["expected"]) == (2, "bench")
    released, code = answer("cell", "release", file, "--confirm", "bench")
    assert (code, released["released"]) == (0, "stopped by command (by the operator)")


def test_a_fault_during_a_run_is_its_result_and_latches(peer: Peer, tmp_path: Path, urdf: Path) -> None:
    file = cell_file(peer, tmp_path, urdf)
    write_policy(joint_policy(build("so101", urdf=urdf), gain=0.05), tmp_path / "policy")
    peer.fault("overload")
    result, code = answer("cell", "run", file, "--policy", str(tmp_path / "policy"), "--seconds", "1")
    assert code == 1
    text = json.dumps(result)
    assert "overload: reported by shoulder_pan" in text
    again, _ = answer("cell", "check", file)
    assert "was stopped" in again["error"]["found"]


def test_a_check_names_what_is_wrong(peer: Peer, tmp_path: Path, urdf: Path) -> None:
    file = cell_file(peer, tmp_path, urdf)
    peer.fault("overheating_silent")
    check, code = answer("cell", "check", file, "--move")
    assert (code, check["ok"], check["moved"]) == (1, False, False)
    assert check["findings"][0]["rule"] == "fault"
    assert "shoulder_pan (servo 1) at 70 °C" in check["findings"][0]["message"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('cell = "feetech"', 'cell = "fetech"', "Did you mean 'feetech'"),
        ('name = "bench"', 'name = "../x"', "a cell named"),
        ("control_hz = 20.0", "control_hz = 'x'", "whose control_hz is 'x'"),
        ("control_hz = 20.0", "speed = 1", "whose \\[driver\\] has speed"),
        ("low_m = [-0.6, -0.6, -0.6]", "low_m = [0.7, 0, 0]", "without a \\[workspace\\] of two corners"),
        ("low_m = [-0.6, -0.6, -0.6]", "low_m = [nan, 0, 0]", "without a \\[workspace\\] of two corners"),
        ("[workspace]", "[table]", "with 'table'"),
        ("silence_s = 0.5", "silence_s = 5.0", "whose silence_s is 5.0"),
        ("[driver]", "[driver", "that cannot be read"),
    ],
)
def test_a_cell_file_that_is_wrong_is_refused_with_what_is_wrong(
    peer: Peer, tmp_path: Path, urdf: Path, old: str, new: str, words: str
) -> None:
    file = Path(cell_file(peer, tmp_path, urdf))
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    result, code = answer("cell", "check", str(file))
    assert code == 2
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(json.dumps(result["error"], ensure_ascii=False).replace('\\"', '"'))


def test_a_calibration_is_made_of_lerobots_file(tmp_path: Path, urdf: Path) -> None:
    (tmp_path / "lerobot.json").write_text(json.dumps(lerobot_record()))
    files = (str(tmp_path / "lerobot.json"), "--urdf", str(urdf), "-o", str(tmp_path / "so.json"))
    words = ("cell", "calibration", *files, "--body", "so101")
    result, code = answer(*words)
    assert code == 0
    assert max(result["zero_error_rad"].values()) < 0.03
    assert [servo.name for servo in read_calibration(tmp_path / "so.json").servos] == list(LIMITS)
    (tmp_path / "lerobot.json").write_text("{")
    assert answer(*words)[1] == 2


def test_serving_what_is_no_policy_is_refused(tmp_path: Path) -> None:
    result, code = answer("policy", "serve", str(tmp_path))
    assert code == 2
    assert "cousins train" in result["error"]["expected"]
