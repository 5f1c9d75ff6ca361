"""The law book of reconstructors: every radiance-field back-end keeps it, on programs that write its files."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import InputError, StageError, UnknownNameError
from cousins.geometry import Intrinsics, look_at
from cousins.meshes import Mesh
from cousins.plugins import backend_names, load_backend
from cousins.reconstruct.reconstructor import Reconstructor
from cousins.reconstruct.splats import Splats
from tests.cousins.reconstruct.test_nerfstudio import HARMONICS, POINTS, SCALES, environment

PACKAGE = "cousins.reconstruct.backends"
MEMBERS = ("splats", "mesh")


@dataclass(frozen=True)
class Case:
    """How a back-end is installed for these tests, and how one of its programs is made to fail."""

    install: Callable[[Path], Path]
    failure: tuple[str, str]


CASES = {"nerfstudio": Case(install=environment, failure=("BROKEN", "1"))}


@pytest.fixture(params=backend_names(PACKAGE))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def module(name: str) -> ModuleType:
    return load_backend(PACKAGE, name, kind="reconstructor")


@pytest.fixture
def backend(name: str, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reconstructor:
    np.savez(tmp_path / "scene.npz", points=POINTS, scales=SCALES, harmonics=HARMONICS)
    monkeypatch.setenv("KNOWN_SCENE", str(tmp_path / "scene.npz"))
    built: Reconstructor = module.build(module.Config(environment=CASES[name].install(tmp_path / "environment")))
    return built


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Twelve colour frames around a scene that lies far from the origin."""
    camera = Intrinsics(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5)
    Image.new("RGB", (64, 48), (90, 120, 30)).save(tmp_path / "picture.jpg")
    target = np.array([10.0, -4.0, 1.0])
    frames = tuple(
        Frame(
            index=index,
            timestamp_s=0.1 * index,
            world_from_camera=look_at(target + np.array([3.0 * np.cos(index), 3.0 * np.sin(index), 1.0]), target),
            depth_camera=camera,
            depth_m=np.full((48, 64), 2.5, np.float32),
            confidence=np.full((48, 64), 2, np.uint8),
            color_camera=camera,
            color_path=tmp_path / "picture.jpg",
        )
        for index in range(12)
    )
    return Capture(name="scene", device="none", app="test", frames=frames, scale=Scale(source="lidar", error=0.01))


def ignore_progress(step: str, share: float) -> None:
    """Do nothing."""


def test_every_reconstructor_has_a_case_in_this_law_book() -> None:
    assert set(CASES) == set(backend_names(PACKAGE))


def test_a_typo_is_answered_with_the_nearest_name(name: str) -> None:
    with pytest.raises(UnknownNameError, match=rf"no reconstructor named '{name[:-1]}'.*Did you mean '{name}'\?"):
        load_backend(PACKAGE, name[:-1], kind="reconstructor")


def test_its_config_is_frozen_and_every_field_beside_the_environment_has_a_default(module: ModuleType) -> None:
    config = module.Config(environment=Path("nowhere"))
    assert is_dataclass(config)
    with pytest.raises(FrozenInstanceError):
        config.environment = Path("elsewhere")
    assert {"iterations", "seed"} <= {field.name for field in fields(config)}


def test_it_has_the_members_of_the_protocol_with_their_parameters(backend: Reconstructor) -> None:
    for member in MEMBERS:
        expected = inspect.signature(getattr(Reconstructor, member)).parameters
        parameters = inspect.signature(getattr(type(backend), member)).parameters
        assert [(key, value.kind) for key, value in parameters.items()] == [
            (key, value.kind) for key, value in expected.items()
        ]


def test_a_missing_environment_is_reported_with_its_name_and_what_to_type(
    name: str, module: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"no {name} in .*nothing; expected .*Type `cousins setup {name}`"):
        module.build(module.Config(environment=tmp_path / "nothing"))


def test_its_requirements_lie_beside_it_with_pinned_versions(module: ModuleType) -> None:
    lines = Path(str(module.__file__)).with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    assert all("==" in package for package in packages)


def test_splats_are_in_the_frame_and_metres_of_the_capture(
    backend: Reconstructor, capture: Capture, tmp_path: Path
) -> None:
    splats = backend.splats(capture, tmp_path / "work", progress=ignore_progress)
    assert isinstance(splats, Splats)
    assert np.abs(splats.positions - POINTS).max() < 1e-4
    np.testing.assert_allclose(splats.scales, SCALES, rtol=1e-4)


def test_a_mesh_is_in_the_frame_and_metres_of_the_capture(
    backend: Reconstructor, capture: Capture, tmp_path: Path
) -> None:
    mesh = backend.mesh(capture, tmp_path / "work", progress=ignore_progress)
    assert isinstance(mesh, Mesh)
    assert np.abs(mesh.vertices - POINTS).max() < 1e-4


@pytest.mark.parametrize("member", MEMBERS)
def test_progress_is_a_share_that_never_falls_within_a_step_and_ends_at_one(
    member: str, backend: Reconstructor, capture: Capture, tmp_path: Path
) -> None:
    shares: dict[str, list[float]] = {}
    getattr(backend, member)(
        capture, tmp_path / "work", progress=lambda step, share: shares.setdefault(step, []).append(share)
    )
    assert shares
    for values in shares.values():
        assert all(0.0 <= value <= 1.0 for value in values)
        assert values == sorted(values)
        assert values[-1] == 1.0


@pytest.mark.parametrize("member", MEMBERS)
def test_the_same_capture_gives_the_same_result(
    member: str, backend: Reconstructor, capture: Capture, tmp_path: Path
) -> None:
    first, second = (
        getattr(backend, member)(capture, tmp_path / folder, progress=ignore_progress) for folder in ("one", "two")
    )
    for field in fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


@pytest.mark.parametrize("member", MEMBERS)
def test_too_few_colour_pictures_are_refused(
    member: str, backend: Reconstructor, capture: Capture, tmp_path: Path
) -> None:
    few = replace(capture, frames=capture.frames[:1])
    with pytest.raises(InputError, match=r"1 colour pictures; expected at least \d+"):
        getattr(backend, member)(few, tmp_path / "work", progress=ignore_progress)


@pytest.mark.parametrize("member", MEMBERS)
def test_a_failed_program_is_an_error_that_names_the_back_end(
    member: str,
    name: str,
    backend: Reconstructor,
    capture: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(*CASES[name].failure)
    with pytest.raises(StageError, match=f"^{name}: ") as caught:
        getattr(backend, member)(capture, tmp_path / "work", progress=ignore_progress)
    assert caught.value.stage == name
