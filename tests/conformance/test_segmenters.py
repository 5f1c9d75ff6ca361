"""The law book of segmenters: every back-end keeps it, learned or not; SAM runs on a model that knows the truth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Capture, Frame, Scale
from cousins.geometry import Array, Intrinsics, look_at, rigid
from cousins.meshes import Mesh
from cousins.plugins import backend_names, load_backend
from cousins.raster import render
from cousins.segment.segments import Segmentation
from sim.synthetic.oracle_segmenter import OracleMaskModel

PACKAGE = "cousins.segment.backends"
CAMERA = Intrinsics(width=256, height=192, fx=213.0, fy=213.0, cx=127.5, cy=95.5)
CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float64)
FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)


def box(low: tuple[float, float, float], size: tuple[float, float, float]) -> Mesh:
    return Mesh(vertices=np.array(low) + CORNERS * np.array(size), faces=FACES)


COLORS = np.array([[90, 90, 90], [150, 120, 80], [170, 40, 40], [40, 60, 170]], dtype=np.uint8)
TABLE = box((-0.6, -0.5, -0.02), (1.2, 1.0, 0.02))
BOXES = (box((-0.2, -0.05, 0.0), (0.12, 0.1, 0.15)), box((0.1, -0.1, 0.0), (0.1, 0.16, 0.08)))


class SimulatedScene(NamedTuple):
    """A capture and its truth."""

    capture: Capture
    masks: list[dict[int, Array]]


def film(folder: Path, count: int, *boxes: Mesh, lit: bool = True) -> SimulatedScene:
    frames = []
    masks: list[dict[int, Array]] = [{} for _ in boxes]
    rng = np.random.default_rng(4)
    folder.mkdir()
    for index, angle in enumerate(np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)):
        pose = look_at(np.array([0.55 * np.cos(angle), 0.55 * np.sin(angle), 0.45]), np.array([0.0, 0.0, 0.05]))
        raster = render([TABLE, *boxes], CAMERA, pose)
        depth = raster.depth_m if lit else np.zeros((192, 256), dtype=np.float32)
        depth = depth + (0.002 * rng.standard_normal(depth.shape)).astype(np.float32) * (depth > 0.0)
        Image.fromarray(COLORS[raster.body + 1]).save(folder / f"{index}.png")
        for number, by_frame in enumerate(masks):
            by_frame[index] = raster.body == number + 1
        frames.append(
            Frame(
                index=index,
                timestamp_s=0.1 * index,
                world_from_camera=pose if lit else rigid(),
                depth_camera=CAMERA,
                depth_m=depth,
                confidence=np.where(depth > 0.0, 2, 0).astype(np.uint8),
                color_camera=CAMERA,
                color_path=folder / f"{index}.png",
            )
        )
    scale = Scale(source="made", error=0.0)
    return SimulatedScene(Capture(name="made", device="none", app="test", frames=tuple(frames), scale=scale), masks)


VIEWS = {"one view": 1, "twelve views": 12}


def run(segmenter: str, scene: SimulatedScene) -> Segmentation:
    backend = load_backend(PACKAGE, segmenter, kind="segmenter")
    config = backend.Config()
    built = backend.Sam(config, OracleMaskModel(scene.masks)) if segmenter == "sam" else backend.build(config)
    result = built.segment(scene.capture, rng=np.random.default_rng(0))
    assert isinstance(result, Segmentation)
    return result


RunResult = tuple[str, SimulatedScene, Segmentation]


@pytest.fixture(scope="module", params=[(name, views) for name in backend_names(PACKAGE) for views in VIEWS], ids=str)
def run_result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    name, views = request.param
    scene = film(tmp_path_factory.mktemp("film") / "colors", VIEWS[views], *BOXES)
    return name, scene, run(name, scene)


def test_two_separate_things_are_two_segments(run_result: RunResult) -> None:
    assert len(run_result[2].segments) == 2


def test_a_second_run_gives_the_same_result(run_result: RunResult) -> None:
    name, scene, first = run_result
    second = run(name, scene)
    assert [s.name for s in first.segments] == [s.name for s in second.segments]
    for a, b in zip(first.segments, second.segments, strict=True):
        assert a.label == b.label
        assert np.array_equal(a.points, b.points)
        assert sorted(a.masks) == sorted(b.masks)
        assert all(np.array_equal(a.masks[k], b.masks[k]) for k in a.masks)


def test_masks_are_bool_and_sized_as_the_depth_and_never_empty(run_result: RunResult) -> None:
    _, scene, result = run_result
    sizes = {frame.index: frame.depth_m.shape for frame in scene.capture.frames}
    for segment in result.segments:
        assert segment.masks
        for index, mask in segment.masks.items():
            assert mask.dtype == np.bool_
            assert mask.shape == sizes[index]
            assert mask.any()


def test_no_pixel_is_in_two_segments_or_without_depth(run_result: RunResult) -> None:
    _, scene, result = run_result
    for frame in scene.capture.frames:
        claims = sum((s.masks[frame.index].astype(int) for s in result.segments if frame.index in s.masks), 0)
        assert np.max(claims) <= 1
        assert not (np.asarray(claims, dtype=bool) & (frame.depth_m <= 0.0)).any()


def test_points_lie_in_the_scene_and_are_finite(run_result: RunResult) -> None:
    for segment in run_result[2].segments:
        assert segment.points.dtype == np.float64
        assert segment.points.ndim == 2
        assert len(segment.points) > 50
        assert np.isfinite(segment.points).all()
        assert np.abs(segment.points[:, :2]).max() < 0.4
        assert segment.points[:, 2].min() > -0.02
        assert segment.points[:, 2].max() < 0.2


def test_names_are_unique_and_safe_as_paths_and_labels_are_given(run_result: RunResult) -> None:
    result = run_result[2]
    path_names = [s.name for s in result.segments] + [p.name for p in result.planes]
    assert len(set(path_names)) == len(path_names)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in path_names)
    assert all(s.label and 0.0 <= s.label_score <= 1.0 for s in result.segments)


def test_supports_are_planes_or_segments_that_exist(run_result: RunResult) -> None:
    result = run_result[2]
    targets = {s.name for s in result.segments} | {p.name for p in result.planes} | {None}
    assert {s.support for s in result.segments} <= targets


def test_planes_are_unit_and_their_outlines_lie_in_them(run_result: RunResult) -> None:
    for plane in run_result[2].planes:
        assert np.linalg.norm(plane.normal) == pytest.approx(1.0, abs=1e-9)
        assert np.abs(plane.outline @ plane.normal - plane.offset_m).max() < 1e-9


@pytest.mark.parametrize("segmenter", backend_names(PACKAGE))
@pytest.mark.parametrize("views", [1, 6])
def test_an_empty_table_has_no_segments(segmenter: str, views: int, tmp_path: Path) -> None:
    assert run(segmenter, film(tmp_path / "colors", views)).segments == ()


@pytest.mark.parametrize("segmenter", backend_names(PACKAGE))
@pytest.mark.parametrize("views", [1, 3])
def test_a_capture_without_depth_has_no_segments_and_warns(segmenter: str, views: int, tmp_path: Path) -> None:
    result = run(segmenter, film(tmp_path / "colors", views, lit=False))
    assert result.segments == ()
    assert result.warnings
