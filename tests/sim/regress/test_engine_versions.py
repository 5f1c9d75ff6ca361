"""Versions of engines in folders of their own: what may be typed, and that an installation is whole or absent."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cousins.errors import InputError
from sim.regress.child_process import SimulatorProcess
from sim.regress.engine_versions import EngineVersion, installed, parsed_engines
from sim.regress.provenance import engine_version
from tests.sim.regress.suites_for_tests import ROOT

PIP = """
import os, pathlib, sys, time
words = sys.argv[1:]
target = pathlib.Path(words[words.index("--target") + 1])
pathlib.Path(os.environ["SEEN"]).write_text(pathlib.Path(os.environ["PIP_CONSTRAINT"]).read_text())
(target / "mujoco").mkdir(parents=True)
(target / "mujoco/__init__.py").write_text("HALF = True")
time.sleep(float(os.environ["DELAY"]))
if words[-1].endswith("==9.9"):
    sys.exit("ERROR: No matching distribution found for mujoco==9.9")
(target / "mujoco/__init__.py").write_text("WHOLE = True")
"""


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a stand-in for pip first on the path of children, and return the file of the constraints that it saw."""
    (tmp_path / "path/pip").mkdir(parents=True)
    (tmp_path / "path/pip/__init__.py").touch()
    (tmp_path / "path/pip/__main__.py").write_text(PIP)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'path'}:{ROOT}")
    monkeypatch.setenv("SEEN", str(tmp_path / "constraints.txt"))
    monkeypatch.setenv("DELAY", "0")
    return tmp_path / "constraints.txt"


def test_engines_are_read_with_and_without_versions() -> None:
    engines = parsed_engines(["mujoco=3.14.0,3.17.0", "mujoco"])
    assert [str(engine) for engine in engines][:2] == ["mujoco 3.14.0", "mujoco 3.17.0"]
    assert parsed_engines(["mujoco", "mujoco=1.0"])[0].version == engine_version("mujoco")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["mujoko=3.14.0"], "--engine 'mujoko=3.14.0'"),
        (["mujoco=3.14.0,"], "--engine 'mujoco=3.14.0,'"),
        (["mujoco=--index-url=x"], "--engine 'mujoco=--index-url=x'"),
        (["mujoco=3.14.0,3.14.0"], "1 engine to compare"),
    ],
)
def test_what_is_no_engine_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parsed_engines(texts)


def test_a_version_is_installed_once_at_the_versions_of_everything_else(
    pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted_engine = EngineVersion(engine="mujoco", version="3.0.0")
    engine = installed(wanted_engine, root=tmp_path / "engines")
    assert engine.folder is not None
    assert (engine.folder / "mujoco/__init__.py").read_text() == "WHOLE = True"
    names = {line.partition("==")[0] for line in pip.read_text().splitlines()}
    assert {"numpy", "numba"} <= names
    assert not {"mujoco", "cousins"} & names
    pip.unlink()
    assert installed(wanted_engine, root=tmp_path / "engines") == engine
    assert not pip.exists()
    installed_version = EngineVersion(engine="mujoco", version=engine_version("mujoco"))
    assert installed(installed_version, root=tmp_path / "engines").folder is None


def test_a_version_that_cannot_be_got_is_bad_input_and_leaves_nothing(pip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no way to install mujoco 9\.9: .*No matching distribution.*registry"):
        installed(EngineVersion(engine="mujoco", version="9.9"), root=tmp_path / "engines")
    assert list((tmp_path / "engines").iterdir()) == []


def test_an_installation_that_is_interrupted_leaves_nothing(
    pip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DELAY", "60")
    program = (
        "import signal, sys; from pathlib import Path; from sim.regress.engine_versions import *;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "installed(EngineVersion(engine='mujoco', version='3.0.0'), root=Path(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "engines")], stderr=subprocess.DEVNULL)
    try:
        while not list(tmp_path.glob("engines/*/new/mujoco/__init__.py")):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    assert list((tmp_path / "engines").iterdir()) == []


def test_a_process_finds_the_folder_of_its_engine_first(tmp_path: Path) -> None:
    (tmp_path / "mujoco").mkdir()
    (tmp_path / "mujoco/__init__.py").write_text("raise ImportError('the folder came first')")
    from cousins.errors import EngineError

    with (
        SimulatorProcess(engine="mujoco", first_paths=[tmp_path]) as process,
        pytest.raises(EngineError, match="the folder came first"),
    ):
        list(process.ask({}))
