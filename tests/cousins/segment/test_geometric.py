from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.backends.geometric import Config, build
from cousins.segment.segments import Segmentation
from cousins.segment.surfaces.voxel_map import VoxelConfig, build_voxel_map


def segment(capture: Capture) -> Segmentation:
    return build(Config()).segment(capture, rng=np.random.default_rng(0))


def agreement(segmentation: Segmentation, bodies: list[Array], body: int) -> float:
    """Return the best F of any segment with one body over all frames."""
    best = 0.0
    true = sum(int((image == body).sum()) for image in bodies)
    for each in segmentation.segments:
        both = sum(int((mask & (bodies[k] == body)).sum()) for k, mask in each.masks.items())
        best = max(best, 2.0 * both / (true + sum(int(mask.sum()) for mask in each.masks.values())))
    return best


def test_two_boxes_that_touch_side_by_side_are_separated_in_one_view(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.1, -0.1, 0.0), (0.0, 0.1, 0.2)),
        scene_builder.box((0.0, -0.15, 0.0), (0.15, 0.0, 0.08)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(8)[1:2])
    result = segment(capture)
    assert len(result.segments) == 2
    assert min(agreement(result, bodies, 1), agreement(result, bodies, 2)) > 0.9


def test_a_small_box_on_a_large_one_is_separated_and_supported_by_it(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.15, -0.1, 0.0), (0.15, 0.1, 0.1)),
        scene_builder.box((-0.05, -0.04, 0.1), (0.05, 0.04, 0.2)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(16), noise=0.002)
    result = segment(capture)
    assert [each.support for each in result.segments] == ["table", "object_0"]
    assert min(agreement(result, bodies, 1), agreement(result, bodies, 2)) > 0.85


def test_a_stool_is_one_object_with_its_four_legs(scene_builder: SimpleNamespace) -> None:
    seat = [scene_builder.box((-0.15, -0.15, 0.26), (0.15, 0.15, 0.3))]
    legs = [
        scene_builder.box((x - 0.015, y - 0.015, 0.0), (x + 0.015, y + 0.015, 0.26))
        for x in (-0.13, 0.13)
        for y in (-0.13, 0.13)
    ]
    capture, bodies = scene_builder.film(seat + legs, scene_builder.views(16, radius_m=0.8, height_m=0.35), noise=0.002)
    result = segment(capture)
    assert len(result.segments) == 1
    merged = [np.where(image > 0, 1, image) for image in bodies]
    assert agreement(result, merged, 1) > 0.9


def test_a_plate_of_fifteen_millimetres_stays_an_object(scene_builder: SimpleNamespace) -> None:
    capture, bodies = scene_builder.film(
        [scene_builder.box((-0.1, -0.08, 0.0), (0.1, 0.08, 0.015))], scene_builder.views(12), noise=0.002
    )
    result = segment(capture)
    assert len(result.segments) == 1
    assert agreement(result, bodies, 1) > 0.85


def test_a_box_keeps_its_bottom(scene_builder: SimpleNamespace) -> None:
    capture, _ = scene_builder.film(
        [scene_builder.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.1))], scene_builder.views(12), noise=0.002
    )
    lowest = segment(capture).segments[0].points[:, 2].min()
    assert lowest < 0.012


def test_unknown_gravity_is_estimated_with_a_warning(scene_builder: SimpleNamespace) -> None:
    capture, bodies = scene_builder.film(
        [scene_builder.box((-0.1, -0.08, 0.0), (0.1, 0.08, 0.1))], scene_builder.views(4)[:1]
    )
    turned = replace(capture, frames=(replace(capture.frames[0], world_from_camera=np.eye(4)),), gravity_known=False)
    result = segment(turned)
    assert any("gravity is unknown" in warning for warning in result.warnings)
    assert agreement(result, bodies, 1) > 0.9


def test_labels_hold_the_size_of_a_box(scene_builder: SimpleNamespace) -> None:
    capture, _ = scene_builder.film([scene_builder.box((-0.1, -0.06, 0.0), (0.1, 0.06, 0.1))], scene_builder.views(12))
    label = segment(capture).segments[0].label
    assert label.startswith("box ")
    sizes = [float(part) for part in label.removeprefix("box ").removesuffix(" cm").split("×")]
    assert sizes == pytest.approx([20.0, 12.0, 10.0], abs=1.5)


def test_the_real_chair_is_one_object_on_a_floor(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    from cousins.capture.ingest import ingest

    capture = ingest(shared_data("captures/chair_3dscannerapp"), tmp_path / "chair")
    result = segment(replace(capture, frames=capture.frames[::2]))
    chair = max(result.segments, key=lambda each: len(each.points))
    assert [plane.kind for plane in result.planes][:1] == ["floor"]
    size = np.ptp(chair.points, axis=0)
    assert 0.85 < size[2] < 1.0
    assert chair.support == "floor"
    seat = (chair.points[:, 2] > 0.33) & (chair.points[:, 2] < 0.47)
    assert seat.mean() > 0.2
    back = chair.points[:, 2] > 0.7
    assert back.mean() > 0.1


def test_of_too_many_pixels_every_second_is_used_and_the_same_objects_are_found(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.15, -0.1, 0.0), (0.15, 0.1, 0.1)),
        scene_builder.box((-0.05, -0.04, 0.1), (0.05, 0.04, 0.2)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(16), noise=0.002)
    pixels = sum(frame.depth_m.size for frame in capture.frames)
    fine = build_voxel_map(capture, config=VoxelConfig())
    coarse = build_voxel_map(capture, config=VoxelConfig(max_pixels=pixels / 2))
    assert coarse.voxel_m == pytest.approx(2.0 * fine.voxel_m, abs=0.0005)
    config = replace(Config(), voxels=VoxelConfig(max_pixels=pixels / 2))
    result = build(config).segment(capture, rng=np.random.default_rng(0))
    assert [each.support for each in result.segments] == ["table", "object_0"]
    assert min(agreement(result, bodies, 1), agreement(result, bodies, 2)) > 0.8
