"""Suite files: what is written is what is run, and every mistake is named."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from cousins.errors import InputError
from cousins.regress.suite_template import suite_template
from cousins.regress.suites import Suite, read_suite

MINIMAL = 'name = "s"\npack = "pack"\ntasks = ["push"]\n[policy]\npath = "a.py"\n'


def suite_of(folder: Path, text: str) -> Suite:
    path = folder / "s.toml"
    path.write_text(text)
    return read_suite(path)


def test_a_short_suite_has_defaults_for_the_rest(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, MINIMAL)
    assert (suite.test_ids, suite.alpha, suite.episodes) == (("push-mujoco",), 0.01, 240)
    assert suite.policy.file_and_function == ("a.py", "act")


def test_the_template_is_a_suite(tmp_path: Path) -> None:
    text = suite_template(file="s.toml", pack="out/pack", policy="c.py:go", task="lift", name="my-suite")
    suite = suite_of(tmp_path, text)
    assert (suite.name, suite.pack, suite.tasks) == ("my-suite", "out/pack", ("lift",))
    assert suite.policy.file_and_function == ("c.py", "go")
    assert suite.gates == {"max_penetration_mm": 1.0, "max_drift_mm": 5.0}
    uncommented = text.replace("# [[quarantine]]\n# test =", "[[quarantine]]\ntest =").replace("# until", "until")
    entry = suite_of(tmp_path, uncommented.replace("# issue", "issue")).quarantine[0]
    assert (entry.test, entry.until) == ("lift-mujoco", datetime.date(2027, 1, 31))


@pytest.mark.parametrize(
    ("path", "kind"),
    [("policies/push", "folder"), ("a/b.py", "python"), ("b.py:go", "python"), ("ws://host:8000", "wire")],
)
def test_a_policy_is_a_folder_a_file_or_an_address(tmp_path: Path, path: str, kind: str) -> None:
    assert suite_of(tmp_path, MINIMAL.replace("a.py", path)).policy.kind == kind


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("episodes", "episode = 3\n"), r"unknown key episode in .*expected one of .*Did you mean 'episodes'\?"),
        (("episodes", "episodes = 0\n"), "found 0 for episodes .*expected a whole number from 1"),
        (("alpha", "alpha = true\n"), "found True for alpha .*expected a number"),
        (("tasks", 'tasks = ["push", "push"]\n'), "expected a list of different names"),
        (("cousins", '[cousins]\nsplit = "test"\n'), "found 'test' for cousins.split .*twin, train"),
        (("axes", "[cousins.axes]\nlayout = [0.6, 0.1]\n"), "cousins.axes.layout .*two rising numbers"),
        (("axes", "[cousins.axes]\nlayot = [0.1, 0.6]\n"), "unknown key cousins.axes.layot .*'layout'"),
        (("golden", "[golden]\nshaken_runs = 19\n"), "golden.shaken_runs .*from 20"),
        (("gates", "[gates]\nmax_drift = 1.0\n"), "unknown key gates.max_drift "),
        (("q", '[[quarantine]]\ntest = "lift-mujoco"\nuntil = 2027-01-01\nissue = "x"\n'), "one of push-mujoco"),
        (("q", '[[quarantine]]\ntest = "push-mujoco"\nuntil = "soon"\nissue = "x"\n'), "expected a date such as"),
        (("q", '[[quarantine]]\nuntil = 2027-01-01\nissue = "x"\n'), "a test, a cousin, or both"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    name, text = change
    lines = [line for line in MINIMAL.splitlines(keepends=True) if not line.startswith(f"{name} =")]
    content = "".join(lines) + text if text.startswith("[") else text + "".join(lines)
    with pytest.raises(InputError, match=message):
        suite_of(tmp_path, content)


def test_what_is_no_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no suite file .*regress init PACK"):
        read_suite(tmp_path / "none.toml")
    with pytest.raises(InputError, match="that is no TOML"):
        suite_of(tmp_path, "name = \n")
    with pytest.raises(InputError, match=r"found nothing for policy\.path"):
        suite_of(tmp_path, MINIMAL.replace('path = "a.py"', ""))


def test_the_digest_follows_from_what_decides_the_verdict(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, MINIMAL)
    quarantine = '[[quarantine]]\ncousin = 3\nuntil = 2027-01-01\nissue = "x"\n'
    assert suite_of(tmp_path, MINIMAL + quarantine).digest == suite.digest
    assert suite_of(tmp_path, "budget_cpu_s = 5\n" + MINIMAL).digest == suite.digest
    assert suite_of(tmp_path, "seed = 5\n" + MINIMAL).digest != suite.digest
