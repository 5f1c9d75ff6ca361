"""`cousins record` over a small pack: what is written is what `cousins eval` counts."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from flows.commands import film as film_command
from flows.commands import record as record_command
from tests.cousins.pack.packs_for_tests import small_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording") / "pack"
    small_pack(folder, count=6)
    return folder


def asked(*words: str | Path) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run([*map(str, words), "--json"], output)
    return json.loads(output.getvalue()), code


def test_random_rollouts_become_a_data_set(pack: Path, tmp_path: Path) -> None:
    words = ("record", "random", "--pack", pack, "--split", "train", "--episodes", "3", "-o")
    result, code = asked(*words, tmp_path / "set")
    assert code == 0
    assert (result["episodes"], result["format"], result["task"], result["engine"]) == (3, "lerobot", "push", "mujoco")
    assert result["steps"] == json.loads((tmp_path / "set/meta/info.json").read_text())["total_frames"]
    assert len(result["digest"]) == 64
    assert "3 episodes" in record_command.told(result)
    again, code = asked(*words, tmp_path / "set")
    assert code == 2
    assert "there already" in again["error"]["found"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--format", "rosbag"), "no format named 'rosbag'"),
        (("--camera", "head"), "no camera named 'head'"),
        (("--episodes", "0"), "0 episodes"),
        (("--split", "heldout_near", "--task", "open_drawer"), "none of which affords"),
        (("--task", "pusch"), "no task named 'pusch'"),
    ],
)
def test_what_cannot_be_recorded_is_told_and_leaves_nothing(
    pack: Path, tmp_path: Path, words: tuple[str, ...], found: str
) -> None:
    result, code = asked("record", "random", "--pack", pack, "-o", tmp_path / "set", *words)
    assert code == 2
    assert found in result["error"]["found"]
    assert list(tmp_path.iterdir()) == []


def test_a_split_without_cousins_is_told(tmp_path: Path) -> None:
    small_pack(tmp_path / "pack", count=2)
    result, code = asked("record", "random", "--pack", tmp_path / "pack", "-o", tmp_path / "set")
    assert code == 2
    assert "split 'heldout_far' without a cousin" in result["error"]["found"]


def test_a_policy_that_is_none_is_told(pack: Path, tmp_path: Path) -> None:
    result, code = asked("record", pack, "--pack", pack, "-o", tmp_path / "set")
    assert code == 2
    assert "no policy.json" in result["error"]["found"]


def test_a_film_shows_episodes_of_the_evaluation(pack: Path, tmp_path: Path) -> None:
    words = ("film", "random", "--pack", pack, "--split", "train", "--episodes", "2", "-o", tmp_path / "film.mp4")
    result, code = asked(*words)
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "film.webp"]
    assert [set(one) for one in result["episodes"]] == [{"cousin", "start", "success_at_end", "fault"}] * 2
    assert result["of"] == 100
    assert "2 of 100 evaluation episodes" in film_command.told(result)
    again, code = asked(*words)
    assert code == 2
    assert "there already" in again["error"]["found"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--episodes", "101"), "--episodes 101"),
        (("--loop", "png"), "a loop as 'png'"),
        (("--camera", "head"), "no camera named 'head'"),
    ],
)
def test_what_cannot_be_filmed_is_told(pack: Path, tmp_path: Path, words: tuple[str, ...], found: str) -> None:
    result, code = asked("film", "random", "--pack", pack, "-o", tmp_path / "film.mp4", *words)
    assert code == 2
    assert found in result["error"]["found"]
    assert list(tmp_path.iterdir()) == []


def test_a_policy_is_recorded_in_the_episodes_of_its_evaluation(pack: Path, tmp_path: Path) -> None:
    words = ("train", pack, "--rows", "2", "-o", tmp_path / "policy", "--steps", "64", "--twin-first", "0")
    assert asked(*words)[1] == 0
    where = ("--pack", pack, "--split", "train", "--episodes", "5", "--seed", "2")
    table, _ = asked("eval", tmp_path / "policy", *where)
    result, code = asked("record", tmp_path / "policy", *where, "-o", tmp_path / "set", "--format", "mcap")
    assert code == 0
    assert (result["episodes"], result["successes"]) == (table["episodes"], table["success_at_end"]["k"])
    assert (result["once"], result["faults"]) == (table["success_once"]["k"], table["faults"])
    told = json.loads((tmp_path / "set/episodes.json").read_text())["episodes"]
    by_cousin = {str(one["cousin"]): 0 for one in told}
    for one in told:
        by_cousin[str(one["cousin"])] += 1
    assert by_cousin == {index: one["n"] for index, one in table["by_cousin"].items()}
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from pathlib import Path\nfrom sim.train.policies import read_policy\nbegun = 0\n"
        f"known = read_policy(Path({str(tmp_path / 'policy')!r}))\n"
        "def reset():\n    global begun\n    begun += 1\n"
        "def act(observations):\n    assert begun == 1\n    return known.act(observations)\n"
    )
    theirs, code = asked("record", mine, *where, "-o", tmp_path / "theirs", "--format", "mcap")
    assert code == 0
    assert {**theirs, "policy": "", "output": ""} == {**result, "policy": "", "output": ""}
    refused, code = asked("record", tmp_path / "policy", *where, "-o", tmp_path / "other", "--task", "lift")
    assert code == 2
    assert "--task lift for a policy that knows push" in refused["error"]["found"]


@pytest.mark.parametrize(("format_name", "missing"), [("lerobot", "pyarrow"), ("mcap", "mcap.writer")])
def test_a_missing_extra_is_named(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"sim.recording.formats.{format_name}", raising=False)
    result, code = asked("record", "random", "--pack", pack, "-o", tmp_path / "set", "--format", format_name)
    assert code == 2
    assert result["error"]["expected"] == "the extra `record`"
