"""Engines are those that are installed; a missing one is an error that names the extra."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

import sim.physics.installed
from cousins.errors import InputError
from cousins.plugins import backend_names
from sim.physics.installed import ENGINES, installed_engines, require_engines, single_engine_fallbacks
from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset
from sim.validation.gates import run_gates
from sim.validation.settle import settle

SCENE = make_scene(place(rigid_asset("box", [box_piece((0.1, 0.1, 0.1))]), 0.0, 0.0, 0.05))


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let only these engines be found."""
    specs = {name: ModuleSpec(name, None) for name in names}
    monkeypatch.setattr(sim.physics.installed, "find_spec", specs.get)


def test_every_engine_but_the_fake_one_is_known() -> None:
    assert set(backend_names("sim.physics.backends")) == {*ENGINES, "fake"}


@pytest.mark.parametrize("names", [("mujoco", "pybullet"), ("mujoco",), ("pybullet",), ()])
def test_installed_engines_are_those_whose_library_is_found(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    install(monkeypatch, *names)
    assert installed_engines() == names


def test_without_an_engine_gates_and_settling_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    for call in (require_engines, lambda: run_gates(SCENE), lambda: settle(SCENE)):
        with pytest.raises(InputError, match=r"neither mujoco nor pybullet is installed; expected the extra `sim`\."):
            call()


def test_a_named_engine_that_is_missing_names_the_extra_and_the_other_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "mujoco")
    with pytest.raises(
        InputError,
        match=r"no engine pybullet: its library is not installed; expected the extra `sim`\. Install it: pip install "
        r"'cousins\[sim\]'\. PyBullet has wheels for Python 3\.11 only\. "
        r"Or take the engine that is installed: mujoco\.",
    ):
        run_gates(SCENE, engines=["mujoco", "pybullet"])


def test_the_fake_engine_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    assert require_engines(["fake"]) == ("fake",)
    assert [summary.engine for summary in run_gates(SCENE, engines=["fake"]).engines] == ["fake"]


def test_gates_in_one_engine_alone_are_a_fallback() -> None:
    assert single_engine_fallbacks(["mujoco"]) == ("second engine not installed: gates ran in mujoco alone",)
    assert single_engine_fallbacks(["mujoco", "pybullet"]) == ()


def test_pybullet_is_required_only_where_it_has_wheels() -> None:
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert """sim = ["pybullet==3.2.7; python_version < '3.12'", "mujoco>=3.14,<4"]""" in project
