"""`cousins train` and `cousins eval`, from a pack to a table."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from flows.commands import eval as eval_command
from flows.commands import train as train_command
from tests.cousins.pack.packs_for_tests import small_pack
from tests.flows.commands.progress_for_tests import read_progress

SHORT = ("--steps", "64", "--twin-first", "0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learning")
    small_pack(folder / "pack", count=6)
    with (folder / "train.jsonl").open("w") as file:
        words = ("--rows", "2", "-o", folder / "policy", "--progress-fd", str(file.fileno()))
        result, code = run_json("train", folder / "pack", *words, *SHORT)
    assert code == 0
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def run_json(*words: str | Path) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run([*map(str, words), "--json"], output)
    return json.loads(output.getvalue()), code


def test_the_result_of_training_matches_its_policy(folder: Path) -> None:
    result = json.loads((folder / "result.json").read_text())
    assert (result["task"], result["algo"], result["steps"]) == ("push", "ppo", 128)
    assert result["steps_per_second"] == pytest.approx(result["steps"] / result["seconds"], rel=0.02)
    assert 0.0 <= result["success_at_end"] <= 1.0
    assert {file.name for file in (folder / "policy").iterdir()} >= {"policy.json", "policy.safetensors", "logs"}
    assert any((folder / "policy" / "logs").iterdir())
    assert "128 steps" in train_command.format_result(result)


def test_evaluation_counts_every_episode(folder: Path) -> None:
    words = ("eval", folder / "policy", "--pack", folder / "pack", "--split", "train", "--episodes", "5")
    result, code = run_json(*words)
    assert code == 0
    assert result["episodes"] == 5
    for key in ("success_at_end", "success_once"):
        assert set(result[key]) >= {"k", "n", "low", "high"}
        assert result[key]["n"] == 5
    assert sum(counts["n"] for counts in result["by_cousin"].values()) == 5
    assert sum(result["failures"].values()) == 5 - result["success_at_end"]["k"]
    assert "5 episodes" in eval_command.format_result(result)
    assert run_json(*words)[0] == result
    shadow, _ = run_json(*words, "--shadow", "1", "--engine", "pybullet")
    assert shadow["engine"] == "pybullet"
    assert shadow["label"] == "sim-to-sim"
    assert "sim-to-sim" in eval_command.format_result(shadow)


def test_progress_lines_count_steps_of_training_and_episodes_of_evaluation(folder: Path, tmp_path: Path) -> None:
    assert read_progress(folder / "train.jsonl") == [
        ("train", "begun", None, None),
        ("train", "progress", 0, 64),
        ("train", "progress", 128, 64),
        ("train", "ended", None, None),
    ]
    with (tmp_path / "eval.jsonl").open("w") as file:
        words = ("--pack", folder / "pack", "--split", "train", "--progress-fd", str(file.fileno()))
        assert run_json("eval", folder / "policy", *words, "--episodes", "17")[1] == 0
    assert read_progress(tmp_path / "eval.jsonl") == [
        ("evaluate", "begun", None, None),
        ("evaluate", "progress", 0, 17),
        ("evaluate", "progress", 16, 17),
        ("evaluate", "progress", 17, 17),
        ("evaluate", "ended", None, None),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--steps", "0"), "--steps 0"),
        (("--algo", "magic"), "algorithm 'magic'"),
        (("--runner", "rey"), "no runner of trainings named 'rey'"),
        (("--workers", "0"), "--workers 0"),
        (("--twin-first", "2"), "--twin-first 2.0"),
        (("--worlds", "moon"), "worlds 'moon'"),
        (("--task", "pusch"), "no task named 'pusch'"),
        (("--from", "nowhere"), "no policy.json"),
        (("--resume",), "no training.json"),
    ],
)
def test_invalid_training_arguments_are_errors(
    folder: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result, code = run_json("train", folder / "pack", "-o", tmp_path / "policy", "--rows", "2", *SHORT, *words)
    assert code == 2
    assert message in result["error"]["found"]


def test_a_folder_without_a_policy_is_not_tried(folder: Path) -> None:
    result, code = run_json("eval", folder / "pack", "--pack", folder / "pack")
    assert code == 2
    assert "no policy.json" in result["error"]["found"]


def test_a_python_file_has_the_same_table_as_a_policy_folder(folder: Path, tmp_path: Path) -> None:
    policy_file = tmp_path / "mine.py"
    policy_file.write_text(
        "from pathlib import Path\nfrom sim.train.policies import read_policy\n"
        f"act = read_policy(Path({str(folder / 'policy')!r})).act\n"
    )
    words = ("--pack", folder / "pack", "--split", "train", "--episodes", "5")
    folder_result, file_result = (run_json("eval", policy, *words) for policy in (folder / "policy", policy_file))
    assert file_result == ({**folder_result[0], "policy": str(policy_file)}, 0)
    assert len(file_result[0]["digest"]) == 64
    panda, code = run_json("eval", policy_file, *words, "--task", "push", "--body", "panda")
    assert code == 2
    assert "line " in panda["error"]["found"]


def test_options_that_contradict_the_policy_are_errors(folder: Path) -> None:
    words = ("eval", folder / "policy", "--pack", folder / "pack")
    for more, message in (
        (("--task", "lift"), "--task lift for a policy that knows push"),
        (("--control-hz", "10"), "--control-hz 10.0 for a policy that knows 20.0"),
    ):
        result, code = run_json(*words, *more)
        assert code == 2
        assert result["error"]["found"] == message
