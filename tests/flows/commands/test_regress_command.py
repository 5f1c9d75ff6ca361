"""`cousins regress`: from a pack to a verdict, its reports, and the cause of what was lost."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cousins.pack.writer import write_pack
from flows.cli import run
from tests.sim.regress.suites_for_tests import META, boxes_cousin, boxes_library, boxes_pack, write_suite


def typed(*words: str) -> tuple[dict[str, Any], int]:
    output = io.StringIO()
    code = run(["regress", *words, "--json"], output)
    return json.loads(output.getvalue()), code


def heavy_pack(folder: Path) -> None:
    """Write the pack with a box in cousin 3 that is forty times as heavy."""
    library = boxes_library()
    cousins = [boxes_cousin(library, index) for index in range(1, 7)]
    box = cousins[2].objects[0]
    heavy = replace(box, mass_kg=(40.0 * box.mass_kg[0],), friction=1.4)
    cousins[2] = replace(cousins[2], objects=(heavy,))
    write_pack(folder, library, cousins, meta=META, rejections={})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite with its baseline, and another pack of the same name in which one cousin has changed."""
    folder = tmp_path_factory.mktemp("project")
    boxes_pack(folder / "pack")
    suite = write_suite(folder, episodes=18)
    suite.write_text(suite.read_text().replace("count = 1", "count = 0") + "[gates]\nmax_drift_mm = 5.0\n")
    accepted, code = typed("accept", str(suite), "--store", str(folder / "store"))
    assert code == 0
    assert accepted["tests"]["push-mujoco"]["successes"] == 18
    (folder / "pack").rename(folder / "accepted_pack")
    heavy_pack(folder / "pack")
    return folder


def test_a_run_writes_every_report(project: Path, tmp_path: Path) -> None:
    result, code = typed(
        "run", str(project / "suite.toml"), "--store", str(project / "store"), "-o", str(tmp_path / "out")
    )
    assert (code, result["exit_code"]) == (0, 0)
    test = next(test for test in result["tests"] if test["test"] == "push-mujoco")
    assert (test["state"], test["level"], test["losses"], test["reused"]) == ("pass", "statistical", 3, 15)
    assert [row["cousin"] for row in result["cousins"]] == [3]
    assert json.loads((tmp_path / "out/regress.json").read_text())["losses"] == result["losses"]
    cases = list(ElementTree.parse(tmp_path / "out/junit.xml").iter("testcase"))
    assert {case.get("name") for case in cases} == {"push-mujoco", "gates-mujoco"}
    for name in ("report.html", "summary.md"):
        assert (
            "show " + str(project / "suite.toml") + " --episode push-mujoco:3:" in (tmp_path / "out" / name).read_text()
        )
    assert ElementTree.parse(tmp_path / "out/badge.svg").getroot().tag.endswith("svg")
    page = (tmp_path / "out/report.html").read_text()
    assert page.count("data:image/webp;base64,") == 1
    assert "push-mujoco, cousin 3, start" in page
    assert [(film["success"], film["frames"] >= 20) for film in result["films"]] == [(False, True)]
    assert "webp" not in result["films"][0]
    assert len(page) < 400_000
    again, _ = typed("show", str(tmp_path / "out/regress.json"))
    assert again["tests"] == result["tests"]


def test_the_cause_is_named_and_its_minimal_case_fails_again(project: Path) -> None:
    suite, store = str(project / "suite.toml"), str(project / "store")
    cause, code = typed("bisect", suite, "--store", store)
    assert (code, cause["cousin"]) == (0, 3)
    assert cause["parts"] == [{"axis": "dynamics", "object": "box"}]
    assert 0.0 < cause["amount"] < 1.0
    assert {change["parameter"] for change in cause["changes"]} == {"mass_kg", "friction"}
    assert [film["success"] for film in cause["films"]] == [True, False]
    page = Path(cause["page"]).read_text()
    assert page.count("data:image/webp;base64,") == 2
    assert "before: passes" in page
    assert "dynamics of box" in page
    (project / "pack").rename(project / "away")
    minimal, code = typed("run", cause["minimal"], "--store", store)
    (project / "away").rename(project / "pack")
    assert (code, minimal["fails"], minimal["same_policy"]) == (1, True, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "none.toml"], "no suite file"),
        (["run", "{}/suite.toml", "--against", "none.json"], "no baseline"),
        (["run", "{}/suite.toml", "--budget", "-1"], "--budget -1"),
        (["init", "{}/pack", "-o", "{}/suite.toml"], "already"),
        (["show", "{}/suite.toml", "--episode", "push:1"], "episode 'push:1'"),
        (["show", "{}/accepted_pack/pack.json"], "of another format"),
        (["bisect", "{}/suite.toml", "--test", "lift"], "no test 'lift'"),
    ],
)
def test_bad_input_ends_with_exit_code_2(project: Path, words: list[str], message: str) -> None:
    result, code = typed(*(word.format(project) for word in words))
    assert code == 2
    assert message in result["error"]["found"]
    assert result["error"]["hint"]


def test_a_suite_that_was_written_names_its_pack(project: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.toml"
    _, code = typed("init", str(project / "pack"), "-o", str(output), "--policy", f"{project}/policy.py:act")
    assert code == 0
    described, code = typed("show", str(output), "--store", str(tmp_path / "store"))
    assert (code, described["suite"], described["baseline"]) == (0, "boxes-push", None)
    assert described["tests"]["push-mujoco"]["episodes"] == 240


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('split = "train"\ncount = 6', "numbers = [2, 99]"), "cousin 99, which the pack lacks"),
        (('tasks = ["push"]', 'tasks = ["open_drawer"]'), "none of which affords open_drawer"),
        (('name = "boxes"', 'name = "boxes"\nengines = ["pybullet"]'), "a baseline of the tests push-mujoco"),
        (("episodes = 18", "episodes = 19"), "a baseline of suite"),
    ],
)
def test_a_suite_that_does_not_fit_ends_with_exit_code_2(
    project: Path, tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    for name in ("policy.py", "suite.baseline.json"):
        (tmp_path / name).write_text((project / name).read_text())
    text = (project / "suite.toml").read_text().replace('pack = "pack"', f'pack = "{project}/pack"')
    assert change[0] in text
    (tmp_path / "suite.toml").write_text(text.replace(*change))
    result, code = typed("run", str(tmp_path / "suite.toml"), "--store", str(tmp_path / "store"))
    assert code == 2
    assert message in result["error"]["found"]
    assert result["error"]["expected"]
    assert result["error"]["hint"]
    assert "tests" not in result


def test_a_corrupt_store_gives_no_verdict(project: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(project / "store", store)
    for path in store.glob("results/*/*.json"):
        path.write_bytes(path.read_bytes()[:-30])
    result, code = typed("run", str(project / "suite.toml"), "--store", str(store))
    assert (code, "damaged entry" in result["error"]["found"], "tests" in result) == (2, True, False)
    assert result["error"]["hint"].startswith("Type `rm ")
