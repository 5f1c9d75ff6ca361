"""nerfstudio's back-end on programs that write its files: metres go in, metres come back."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import InputError, StageError
from cousins.geometry import Array, Intrinsics, look_at, rotation_about
from cousins.reconstruct.backends.nerfstudio import Config, Nerfstudio, build, write_dataset
from cousins.reconstruct.splats import Splats, harmonics_basis, read_splats, transform_splats
from cousins.scene.usd.check_worker import check_file
from cousins.scene.usd.splats import read_splat_usd, write_splats
from tests.cousins.reconstruct.fake_nerfstudio import splat_ply

FAKE = Path(__file__).with_name("fake_nerfstudio.py")
POINTS = np.random.default_rng(5).uniform(-2.0, 3.0, (300, 3)) + np.array([10.0, -4.0, 1.0])
SCALES = np.random.default_rng(6).uniform(0.001, 0.05, (300, 3))
HARMONICS = np.random.default_rng(7).normal(size=(300, 16, 3))


def environment(folder: Path, *, cuda: bool = True) -> Path:
    """A virtual environment with fake programs."""
    (folder / "bin").mkdir(parents=True)
    scripts = {"python": f"#!/bin/sh\necho {cuda}\n"}
    for name in ("ns-train", "ns-export"):
        scripts[name] = f'#!/bin/sh\nPROGRAM={name} exec {sys.executable} {FAKE} "$@"\n'
    for name, text in scripts.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return folder


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nerfstudio:
    np.savez(tmp_path / "known.npz", points=POINTS, scales=SCALES, harmonics=HARMONICS)
    monkeypatch.setenv("KNOWN_SCENE", str(tmp_path / "known.npz"))
    return build(Config(environment=environment(tmp_path / "env")))


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    """Twelve pictures around the scene, far from the origin."""
    camera = Intrinsics(width=64, height=48, fx=60.0, fy=60.0, cx=31.5, cy=23.5)
    Image.new("RGB", (64, 48), (90, 120, 30)).save(tmp_path / "picture.jpg")
    frames = tuple(
        Frame(
            index=index,
            timestamp_s=0.1 * index,
            world_from_camera=look_at(
                np.array([10.0 + 3.0 * np.cos(index), -4.0 + 3.0 * np.sin(index), 2.0]), np.array([10.0, -4.0, 1.0])
            ),
            depth_camera=camera,
            depth_m=np.full((48, 64), 2.5, np.float32),
            confidence=np.full((48, 64), 2, np.uint8),
            color_camera=camera,
            color_path=tmp_path / "picture.jpg",
        )
        for index in range(12)
    )
    return Capture(name="s", device="d", app="a", frames=frames, scale=Scale(source="lidar", error=0.01))


@pytest.mark.parametrize("turned", ["", "1"])
def test_splats_come_back_in_metres_within_a_tenth_of_a_millimetre(
    turned: str, backend: Nerfstudio, capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNED", turned)
    calls: list[tuple[str, float]] = []
    splats = backend.splats(capture, tmp_path / "work", progress=lambda step, share: calls.append((step, share)))
    assert np.abs(splats.positions - POINTS).max() < 1e-4
    np.testing.assert_allclose(splats.scales, SCALES, rtol=1e-5)
    assert calls == [
        ("ns-train splatfacto", 0.5),
        ("ns-train splatfacto", 1.0),
        ("ns-train splatfacto", 1.0),
        ("ns-export gaussian-splat", 1.0),
    ]
    scale = json.loads((tmp_path / "work/runs/scan/splatfacto/run/dataparser_transforms.json").read_text())["scale"]
    assert scale < 0.5


def test_a_mesh_comes_back_in_metres_with_its_colours(backend: Nerfstudio, capture: Capture, tmp_path: Path) -> None:
    mesh = backend.mesh(capture, tmp_path / "work", progress=lambda *_: None)
    assert np.abs(mesh.vertices - POINTS).max() < 1e-9
    assert mesh.colors is not None
    assert (mesh.colors == [10, 20, 30]).all()
    assert len(mesh.faces) == 100


def test_the_data_set_holds_metres_and_gl_cameras(capture: Capture, tmp_path: Path) -> None:
    write_dataset(capture, tmp_path / "data", rng=np.random.default_rng(0))
    record = json.loads((tmp_path / "data/transforms.json").read_text())
    pose = np.array(record["frames"][3]["transform_matrix"])
    np.testing.assert_array_equal(pose[:3, 3], capture.frames[3].world_from_camera[:3, 3])
    np.testing.assert_array_equal(pose[:3, 2], -capture.frames[3].world_from_camera[:3, 2])
    assert (record["frames"][0]["cx"], record["frames"][0]["cy"]) == (32.0, 24.0)
    few = replace(capture, frames=capture.frames[:5])
    with pytest.raises(InputError, match="5 colour pictures; expected at least 10"):
        write_dataset(few, tmp_path / "few", rng=np.random.default_rng(0))


def test_a_missing_gpu_or_environment_is_an_error_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no nerfstudio in .*cousins setup nerfstudio"):
        build(Config(environment=tmp_path / "nothing"))
    with pytest.raises(InputError, match="no NVIDIA GPU that torch can use"):
        build(Config(environment=environment(tmp_path / "env", cuda=False)))


def test_a_failed_program_is_an_error_with_its_last_lines(
    backend: Nerfstudio, capture: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKEN", "1")
    with pytest.raises(StageError, match=r"(?s)ns-train ended with code 1:.*CUDA out of memory"):
        backend.splats(capture, tmp_path / "work", progress=lambda *_: None)


def known_splats() -> Splats:
    return read_splats(splat_ply(POINTS, SCALES, HARMONICS))


def test_light_turns_with_the_splats() -> None:
    rotation = rotation_about(np.array([1.0, -2.0, 0.5]), 1.1)
    splats = known_splats()
    turned = transform_splats(splats, rotation, np.zeros(3), 1.0)
    seen_from = np.random.default_rng(1).normal(size=(50, 3))
    seen_from /= np.linalg.norm(seen_from, axis=1, keepdims=True)
    np.testing.assert_allclose(
        _light(turned, seen_from @ rotation.T), _light(splats, seen_from), atol=1e-9 * np.abs(HARMONICS).sum()
    )


def _light(splats: Splats, directions: Array) -> Array:
    return np.asarray(np.einsum("dk,nkc->ndc", harmonics_basis(directions), splats.harmonics))


def test_moving_splats_there_and_back_changes_nothing() -> None:
    rotation = rotation_about(np.array([0.2, 1.0, 0.3]), 2.0)
    moved = transform_splats(known_splats(), rotation, np.array([1.0, 2.0, 3.0]), 0.13)
    back = transform_splats(moved, rotation.T, -rotation.T @ np.array([1.0, 2.0, 3.0]) / 0.13, 1.0 / 0.13)
    np.testing.assert_allclose(back.positions, known_splats().positions, atol=1e-9)
    np.testing.assert_allclose(back.harmonics, known_splats().harmonics, atol=1e-9)
    np.testing.assert_allclose(np.abs(back.quats_wxyz[:, 0]), 1.0, atol=1e-12)


def test_splats_are_written_as_usd_beside_a_scene_and_read_back(tmp_path: Path) -> None:
    splats = known_splats()
    (tmp_path / "scene.usda").write_text(
        '#usda 1.0\n(\n defaultPrim = "World"\n kilogramsPerUnit = 1\n metersPerUnit = 1\n upAxis = "Z"\n)\n'
        'def Xform "World" {}\n'
    )
    write_splats(splats, tmp_path / "background.usdc", scene="./scene.usda")
    again = read_splat_usd(tmp_path / "background.usdc")
    np.testing.assert_allclose(again.positions, splats.positions, atol=1e-5)
    np.testing.assert_allclose(again.harmonics, splats.harmonics, atol=1e-5)
    np.testing.assert_allclose(again.opacities, splats.opacities, atol=1e-6)
    assert {finding.rule for finding in check_file(tmp_path / "background.usdc")} == {"no-physics"}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: b"obj" + data, "no PLY header"),
        (lambda data: data[:-4], r"300 splats in \d+ bytes"),
        (lambda data: data.replace(b"property float opacity", b"property float opacitx"), "no column 'opacity'"),
        (lambda data: data.replace(b"property float nx", b"property uchar nx"), "no float32"),
    ],
)
def test_a_file_that_holds_no_splats_is_refused(change: object, match: str) -> None:
    assert callable(change)
    with pytest.raises(StageError, match=match):
        read_splats(change(splat_ply(POINTS, SCALES, HARMONICS)))
