"""`cousins tasks PACK`: counts by split, a proof for each task, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from flows.cli import run
from flows.commands.tasks import format_result
from tests.cousins.pack.packs_for_tests import small_pack


@pytest.fixture(scope="module")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack") / "table"
    small_pack(folder, count=6)
    return folder


def run_json(*words: str | Path) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run(["tasks", *map(str, words), "--json"], output)
    return json.loads(output.getvalue()), code


def test_each_task_lists_its_cousins_by_split_with_a_proof(pack_folder: Path) -> None:
    result, code = run_json(pack_folder)
    assert code == 0
    assert result["cousins"] == 7
    rows = {row["task"]: row for row in result["tasks"]}
    assert len(rows) == 9
    push = rows["push"]
    assert push["bodies"][0] == "pusher"
    assert sum(push["afforded"].values()) == len(push["cousins"]) > 0
    assert "stands free on" in push["proof"]
    assert push["example"] == push["cousins"][0]
    assert sum(rows["open_door"]["afforded"].values()) == 0
    assert sum(rows["open_door"]["refused"].values()) == 7
    words = format_result(result)
    assert "no door whose handle is free" in words
    assert f"{sum(push['of'].values())} of" not in words or push["proof"] in words


def test_a_task_a_split_and_a_cousin_can_be_selected(pack_folder: Path) -> None:
    result, _ = run_json(pack_folder, "--task", "push", "--split", "train", "--count", "1")
    assert [row["task"] for row in result["tasks"]] == ["push"]
    assert result["cousins"] == 1
    single, _ = run_json(pack_folder, "--task", "push", "--cousin", "3")
    assert single["cousins"] == 1


def test_where_nothing_is_afforded_the_exit_code_is_1(pack_folder: Path) -> None:
    assert run_json(pack_folder, "--task", "open_drawer")[1] == 1


def test_an_unknown_task_and_an_unknown_cousin_are_refused(pack_folder: Path) -> None:
    error, code = run_json(pack_folder, "--task", "pusch")
    assert code == 2
    assert "Did you mean 'push'?" in error["error"]["hint"]
    error, code = run_json(pack_folder, "--cousin", "99")
    assert code == 2
    assert error["error"]["found"] == "no cousin to look at"
