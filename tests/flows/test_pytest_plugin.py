"""The pytest plugin: free until it is used, the same tests in every worker, and errors with what to type."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.sim.regress.suites_for_tests import ROOT, boxes_pack, write_suite

TESTS = """
import pytest

@pytest.mark.cousins(split="train", count=3, axes={})
def test_numbers(cousin):
    assert cousin.index in (1, 3, 5)
    assert "<mujoco" in cousin.mjcf()[0]

@pytest.mark.cousins(numbers=[2], task="push")
def test_push(world, policy):
    first = world.run(policy)
    assert first.success
    assert world.run(policy).states == first.states

@pytest.mark.cousins(numbers=[4], task="push")
@pytest.mark.golden
def test_golden(world, policy, golden):
    golden.check(lambda shake: world.run(policy, shake=shake))

def test_nothing_of_ours():
    pass
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    boxes_pack(folder / "pack")
    write_suite(folder)
    (folder / "test_sim.py").write_text(TESTS)
    return folder


def pytest_in(folder: Path, *words: str, plugins: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    names = [word for name in ("flows.pytest_plugin", *plugins) for word in ("-p", name)]
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-W", "error", *names, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_importing_the_plugin_takes_no_time_and_no_library() -> None:
    program = (
        "import sys, time, pytest; before = set(sys.modules); began = time.process_time(); import flows.pytest_plugin;"
        "print(time.process_time() - began, *{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    names = set(runs[0].split()[1:])
    assert names - set(sys.stdlib_module_names) == {"flows"}
    assert min(float(text.split()[0]) for text in runs) <= 0.020


def test_tests_have_stable_names_and_the_same_outcomes_in_two_workers(project: Path) -> None:
    words = ("--cousins-suite", "suite.toml", "-k", "numbers or push or nothing", "-rA", "--junitxml", "out.xml")
    alone = pytest_in(project, *words)
    assert alone.returncode == 0, alone.stdout
    passed = set(re.findall(r"PASSED (\S+)", alone.stdout))
    assert len(passed) == 5
    assert sum(bool(re.search(r"test_numbers\[c000[135]-[0-9a-f]{8}\]", name)) for name in passed) == 3
    properties = {
        item.get("name"): item.get("value")
        for case in ElementTree.parse(project / "out.xml").iter("testcase")
        if "test_push" in str(case.get("name"))
        for item in case.iter("property")
    }
    assert re.fullmatch("[0-9a-f]{64}", str(properties["cousins.pack"]))
    assert str(properties["cousins.engine"]).startswith("mujoco 3.")
    both = pytest_in(project, *words, "-n", "2", "--dist", "loadgroup", plugins=["xdist.plugin"])
    assert both.returncode == 0, both.stdout
    names = {re.sub("@.*", "", name) for name in re.findall(r"PASSED (\S+)", both.stdout)}
    assert names == passed


def test_a_golden_is_written_compared_and_named_where_it_breaks(project: Path) -> None:
    words = ("--cousins-suite", "suite.toml", "-k", "golden")
    missing = pytest_in(project, *words)
    assert missing.returncode == 1
    assert "pytest --cousins-update writes it" in missing.stdout
    assert pytest_in(project, *words, "--cousins-update").returncode == 0
    assert pytest_in(project, *words).returncode == 0
    path = next((project / "goldens").glob("*.json"))
    path.write_text(re.sub('"states": "[0-9a-f]{8}', '"states": "00000000', path.read_text()))
    broken = pytest_in(project, *words)
    assert broken.returncode == 1
    assert "other states than" in broken.stdout


def test_bad_input_ends_with_what_to_type(project: Path) -> None:
    for words, message in (
        ((), "--cousins-pack or --cousins-suite"),
        (("--cousins-pack", "none"), "none"),
        (("--cousins-suite", "suite.toml", "--cousins-budget", "soon"), "expected seconds, such as 300s"),
    ):
        done = pytest_in(project, "-k", "numbers", *words)
        assert done.returncode != 0
        assert message in done.stdout + done.stderr


def test_a_budget_that_is_spent_skips_and_says_so(project: Path) -> None:
    done = pytest_in(project, "--cousins-suite", "suite.toml", "--cousins-budget", "0s", "-k", "push", "-rs")
    assert "nothing is concluded" in done.stdout
    assert "1 skipped" in done.stdout


def test_fixtures_of_another_project_with_the_same_names_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef world():\n    return 1\n\n"
        "@pytest.fixture\ndef cousin():\n    return 2\n\n"
        "def test_other(world, cousin):\n    assert (world, cousin) == (1, 2)\n"
    )
    (tmp_path / "test_plugin.py").write_text("def test_plugin(cousin):\n    pass\n")
    other = pytest_in(tmp_path, "test_other.py")
    assert other.returncode == 0, other.stdout
    plugin = pytest_in(tmp_path, "test_plugin.py")
    assert "--cousins-pack or --cousins-suite" in plugin.stdout + plugin.stderr
