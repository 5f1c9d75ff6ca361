"""`cousins record` over a small pack: the recorded episodes match those that `cousins eval` counts."""

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
from tests.flows.commands.progress_for_tests import read_progress


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recording") / "pack"
    small_pack(folder, count=6)
    return folder


def run_json(*words: str | Path) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run([*map(str, words), "--json"], output)
    return json.loads(output.getvalue()), code


def test_random_rollouts_become_a_data_set(pack: Path, tmp_path: Path) -> None:
    words = ("record", "random", "--pack", pack, "--split", "train", "--episodes", "3", "-o")
    result, code = run_json(*words, tmp_path / "set")
    assert code == 0
    assert (result["episodes"], result["format"], result["task"], result["engine"]) == (3, "lerobot", "push", "mujoco")
    assert result["steps"] == json.loads((tmp_path / "set/meta/info.json").read_text())["total_frames"]
    assert len(result["digest"]) == 64
    assert "3 episodes" in record_command.format_result(result)
    again, code = run_json(*words, tmp_path / "set")
    assert code == 2
    assert "there already" in again["error"]["found"]


def test_progress_lines_count_recorded_episodes(pack: Path, tmp_path: Path) -> None:
    with (tmp_path / "progress.jsonl").open("w") as file:
        words = ("--split", "train", "--episodes", "2", "-o", tmp_path / "set", "--progress-fd", str(file.fileno()))
        assert run_json("record", "random", "--pack", pack, *words)[1] == 0
    assert read_progress(tmp_path / "progress.jsonl") == [
        ("record", "begun", None, None),
        ("record", "progress", 0, 2),
        ("record", "progress", 1, 2),
        ("record", "progress", 2, 2),
        ("record", "ended", None, None),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "rosbag"), "no format named 'rosbag'"),
        (("--camera", "head"), "no camera named 'head'"),
        (("--episodes", "0"), "0 episodes"),
        (("--split", "heldout_near", "--task", "open_drawer"), "none of which affords"),
        (("--task", "pusch"), "no task named 'pusch'"),
    ],
)
def test_an_invalid_recording_is_an_error_and_leaves_no_files(
    pack: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result, code = run_json("record", "random", "--pack", pack, "-o", tmp_path / "set", *words)
    assert code == 2
    assert message in result["error"]["found"]
    assert list(tmp_path.iterdir()) == []


def test_a_split_without_cousins_is_an_error(tmp_path: Path) -> None:
    small_pack(tmp_path / "pack", count=2)
    result, code = run_json("record", "random", "--pack", tmp_path / "pack", "-o", tmp_path / "set")
    assert code == 2
    assert "split 'heldout_far' without a cousin" in result["error"]["found"]


def test_a_folder_without_a_policy_is_an_error(pack: Path, tmp_path: Path) -> None:
    result, code = run_json("record", pack, "--pack", pack, "-o", tmp_path / "set")
    assert code == 2
    assert "no policy.json" in result["error"]["found"]


def test_a_film_shows_episodes_of_the_evaluation(pack: Path, tmp_path: Path) -> None:
    folder = tmp_path / "film"
    words = ("film", "random", "--pack", pack, "--split", "train", "--episodes", "2", "-o", folder / "film.mp4")
    with (tmp_path / "progress.jsonl").open("w") as file:
        result, code = run_json(*words, "--progress-fd", str(file.fileno()))
    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["film.mp4", "film.webp"]
    assert read_progress(tmp_path / "progress.jsonl") == [
        ("rollouts", "begun", None, None),
        ("rollouts", "progress", 0, 2),
        ("rollouts", "progress", 1, 2),
        ("rollouts", "progress", 2, 2),
        ("rollouts", "ended", None, None),
        ("film", "begun", None, None),
        ("film", "progress", 0, 1),
        ("film", "progress", 1, 1),
        ("film", "ended", None, None),
    ]
    assert [set(entry) for entry in result["episodes"]] == [{"cousin", "start", "success_at_end", "fault"}] * 2
    assert result["of"] == 100
    assert "2 of 100 evaluation episodes" in film_command.format_result(result)
    again, code = run_json(*words)
    assert code == 2
    assert "there already" in again["error"]["found"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--episodes", "101"), "--episodes: 101"),
        (("--loop", "png"), "a loop as 'png'"),
        (("--camera", "head"), "no camera named 'head'"),
    ],
)
def test_an_invalid_film_is_an_error(pack: Path, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    result, code = run_json("film", "random", "--pack", pack, "-o", tmp_path / "film.mp4", *words)
    assert code == 2
    assert message in result["error"]["found"]
    assert list(tmp_path.iterdir()) == []


def test_a_policy_is_recorded_in_the_episodes_of_its_evaluation(pack: Path, tmp_path: Path) -> None:
    words = ("train", pack, "--rows", "2", "-o", tmp_path / "policy", "--steps", "64", "--twin-first", "0")
    assert run_json(*words)[1] == 0
    options = ("--pack", pack, "--split", "train", "--episodes", "5", "--seed", "2")
    table, _ = run_json("eval", tmp_path / "policy", *options)
    result, code = run_json("record", tmp_path / "policy", *options, "-o", tmp_path / "set", "--format", "mcap")
    assert code == 0
    assert (result["episodes"], result["successes"]) == (table["episodes"], table["success_at_end"]["k"])
    assert (result["once"], result["faults"]) == (table["success_once"]["k"], table["faults"])
    episodes = json.loads((tmp_path / "set/episodes.json").read_text())["episodes"]
    by_cousin = {str(entry["cousin"]): 0 for entry in episodes}
    for entry in episodes:
        by_cousin[str(entry["cousin"])] += 1
    assert by_cousin == {index: entry["n"] for index, entry in table["by_cousin"].items()}
    policy_file = tmp_path / "mine.py"
    policy_file.write_text(
        "from pathlib import Path\nfrom sim.train.policies import read_policy\nbegun = 0\n"
        f"known = read_policy(Path({str(tmp_path / 'policy')!r}))\n"
        "def reset():\n    global begun\n    begun += 1\n"
        "def act(observations):\n    assert begun == 1\n    return known.act(observations)\n"
    )
    file_result, code = run_json("record", policy_file, *options, "-o", tmp_path / "theirs", "--format", "mcap")
    assert code == 0
    assert {**file_result, "policy": "", "output": ""} == {**result, "policy": "", "output": ""}
    refused, code = run_json("record", tmp_path / "policy", *options, "-o", tmp_path / "other", "--task", "lift")
    assert code == 2
    assert "--task lift for a policy that knows push" in refused["error"]["found"]


@pytest.mark.parametrize(("format_name", "missing"), [("lerobot", "pyarrow"), ("mcap", "mcap.writer")])
def test_a_missing_extra_is_named(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_name: str, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, f"sim.recording.formats.{format_name}", raising=False)
    result, code = run_json("record", "random", "--pack", pack, "-o", tmp_path / "set", "--format", format_name)
    assert code == 2
    assert result["error"]["expected"] == "the extra `record`"
