"""The wheel without extras: every command works or names the extra that it needs.

A process that does not see some installed packages stands for an environment without them. Hidden is every installed
package that the base dependencies of pyproject.toml do not bring, directly or through each other, by the metadata of
the packages themselves. So a module that is imported without its extra fails here on the day on which it is added,
without a list to keep. `make base-check` runs the same commands with the wheel itself in a new environment.
"""

from __future__ import annotations

import ast
import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cousins.extras import EXTRAS_OF_MODULE
from flows.cli import COMMANDS
from tests.flows.base_install.commands import unexpected
from tests.flows.base_install.hidden_packages import PROJECT, ROOT, brought_by_extras, environment_without
from tests.flows.base_install.inputs import write_inputs

SCRIPT = Path(__file__).with_name("commands.py")
FALLBACK = "second engine not installed: gates ran in mujoco alone"
PACKAGES = ("cousins", "sim", "flows")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder)
    return folder


def run_without(
    hidden: dict[str, list[str]], inputs: Path, work: Path, lines: list[list[str]] | None = None
) -> dict[str, Any]:
    words = [sys.executable, str(SCRIPT), str(inputs), str(work)]
    if lines is not None:
        (work / "lines.json").write_text(json.dumps(lines))
        words.append(str(work / "lines.json"))
    environment = environment_without(hidden, work)
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=290)
    assert done.returncode == 0, done.stderr[-4000:]
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def test_without_extras_every_command_works_or_names_the_extra(inputs: Path, tmp_path: Path) -> None:
    results = run_without(brought_by_extras(), inputs, tmp_path)
    assert unexpected(results, COMMANDS) == []
    assert results["python"]["scan()"] == (
        "InputError: found no physics engine: neither mujoco nor pybullet is installed; expected the extra `sim`. "
        "Install it: pip install 'cousins[sim]'."
    )
    assert not any((tmp_path / name).exists() for name in ("scanned", "scanned_mesh", "varied", "demo", "record"))


def test_with_one_engine_scenes_and_packs_say_that_gates_ran_in_it_alone(inputs: Path, tmp_path: Path) -> None:
    scene, pack = tmp_path / "scanned", tmp_path / "varied"
    still = ["--axis", "shape=0", "--axis", "swap=0", "--workers", "1"]
    lines = [
        ["doctor"],
        ["check", str(inputs / "scene")],
        ["scan", str(inputs / "meshes/box.obj"), "-o", str(scene)],
        ["vary", str(inputs / "scene"), "-n", "3", "-o", str(pack), "--recipe", str(inputs / "recipe.toml"), *still],
    ]
    hidden = {"modules": ["pybullet"], "distributions": ["pybullet"]}
    runs = run_without(hidden, inputs, tmp_path, lines)["commands"]
    doctor, check, scan, vary = (run["result"] for run in runs)
    assert [run["code"] for run in runs[1:]] == [0, 0, 0], runs
    assert (doctor["engines"], doctor["checks"]["physics"], len(doctor["hints"])) == (["mujoco"], True, 1)
    assert check["rules"][-1] == "gates in mujoco alone: second engine not installed"
    report = json.loads((scene / "report.json").read_text())
    for result in (scan, report):
        assert (list(result["gates"]), result["agreement"]) == (["mujoco"], {"max_mm": None, "max_deg": None})
        assert FALLBACK in result["fallbacks"]
    manifest = json.loads((pack / "pack.json").read_text())
    assert (vary["valid"], manifest["gates"]["engines"]) == (3, ["mujoco"])
    assert FALLBACK in vary["fallbacks"]
    assert FALLBACK in manifest["fallbacks"]


def imported_modules() -> set[str]:
    """Return the top-level names of all modules that the packages import, but for pytest, which loads our plugin."""
    names: set[str] = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - set(PACKAGES) - {"pytest"}


def test_every_module_that_an_extra_brings_is_named_with_its_extras() -> None:
    extras = {
        extra: {canonicalize_name(Requirement(text).name) for text in texts}
        for extra, texts in PROJECT["optional-dependencies"].items()
        if extra not in ("dev", "bench")
    }
    distributions = importlib.metadata.packages_distributions()
    hidden = set(brought_by_extras()["modules"])
    assert imported_modules() & hidden <= set(EXTRAS_OF_MODULE)
    for module in sorted(set(EXTRAS_OF_MODULE) & set(distributions)):
        names = set(map(canonicalize_name, distributions[module]))
        direct = {extra for extra, required in extras.items() if required & names}
        assert not direct or direct == set(EXTRAS_OF_MODULE[module]), module
