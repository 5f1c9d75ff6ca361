"""The CI templates parse, use only what they declare, and pass the verdict of `cousins regress` on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.cli import _parser

FOLDER = Path(__file__).parents[1] / "assets/ci"
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "action.yml").read_text())
GITLAB: dict[str, Any] = yaml.safe_load((FOLDER / "gitlab.yml").read_text())
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
SCRIPT = next(step for step in STEPS if step.get("id") == "run")
FAKE = (
    '#!/bin/sh\necho "$@" > "$PWD/words"\nmkdir -p "$OUTPUT"\necho "### summary" > "$OUTPUT/summary.md"\nexit {code}\n'
)


def test_the_action_is_a_composite_one_whose_parts_refer_to_each_other() -> None:
    text = (FOLDER / "action.yml").read_text()
    assert ACTION["runs"]["using"] == "composite"
    assert {"name", "description", "inputs", "outputs", "runs"} <= set(ACTION)
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    assert all(set(item) <= {"description", "required", "default"} for item in ACTION["inputs"].values())
    for step in STEPS:
        assert ("run" in step) != ("uses" in step)
        assert "run" not in step or step["shell"] == "bash"
        assert "uses" not in step or re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
    ids = {step["id"] for step in STEPS if "id" in step}
    assert set(re.findall(r"steps\.([\w-]+)\.outputs", text)) <= ids
    assert ACTION["outputs"]["exit-code"]["value"] == "${{ steps.run.outputs.exit-code }}"


def test_no_input_is_pasted_into_the_script() -> None:
    assert "${{" not in SCRIPT["run"]
    assert set(re.findall(r"\$\{?([A-Z_]+)", SCRIPT["run"])) <= {*SCRIPT["env"], "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"}


@pytest.mark.parametrize(
    ("code", "inconclusive", "ends_with"),
    [(0, "fail", 0), (1, "pass", 1), (2, "pass", 2), (125, "fail", 125), (125, "pass", 0)],
)
def test_the_step_ends_with_the_verdict(tmp_path: Path, code: int, inconclusive: str, ends_with: int) -> None:
    command = tmp_path / "bin/cousins"
    command.parent.mkdir()
    command.write_text(FAKE.format(code=code))
    command.chmod(0o755)
    inputs = {"SUITE": "a suite.toml", "AGAINST": "", "BUDGET": "60", "OUTPUT": "out", "INCONCLUSIVE": inconclusive}
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = os.environ | inputs | files | {"PATH": f"{command.parent}:{os.environ['PATH']}"}
    script = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", SCRIPT["run"]]
    done = subprocess.run(script, cwd=tmp_path, env=environment)
    assert done.returncode == ends_with
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"exit-code={code}\n"
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == "### summary\n"
    assert (tmp_path / "words").read_text() == "regress run a suite.toml -o out --budget 60\n"


def test_the_command_lines_of_the_templates_are_understood() -> None:
    for words in (
        ["regress", "run", "s.toml", "-o", "out", "--against", "b.json", "--budget", "60"],
        GITLAB[".cousins-regress"]["script"][0].replace('"', "").split()[1:],
    ):
        assert _parser("regress").parse_args(words).action == "run"


def test_the_gitlab_job_keeps_reports_and_results_and_treats_125_as_a_warning() -> None:
    job = GITLAB[".cousins-regress"]
    assert job["allow_failure"] == {"exit_codes": [125]}
    assert job["artifacts"]["when"] == job["cache"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == "$COUSINS_REPORT/junit.xml"
    assert job["cache"]["paths"] == [".cousins-regress"]
    text = (FOLDER / "gitlab.yml").read_text()
    assert set(re.findall(r"\$(COUSINS_\w+)", text)) <= set(job["variables"])
