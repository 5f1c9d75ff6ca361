"""Prompts for a mask model, selection of its masks, and consensus over views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cousins.capture.captures import Capture
from cousins.geometry import Array
from cousins.segment.backends.sam import NO_COLOR_WARNING, Config, Sam
from cousins.segment.prompted.consensus import cluster_masks
from cousins.segment.prompted.keyframes import select_keyframes
from cousins.segment.prompted.mask_propagation import propagate_masks
from cousins.segment.prompted.mask_selection import (
    MaskSelectionConfig,
    ScoredMask,
    drop_duplicates,
    resolve_nesting,
    select_masks,
)
from cousins.segment.prompted.prompts import MaskPredictions, Prompts, box_prompts, grid_prompts
from cousins.segment.segments import Segmentation
from sim.synthetic.oracle_segmenter import OracleFrame, OracleMaskModel

NONE = np.full((60, 80), -1)
RAISED = np.full((60, 80), 0.05)
HAS_DEPTH = np.ones((60, 80), dtype=bool)


def disc(x: float, y: float, radius: float) -> Array:
    rows, columns = np.mgrid[:60, :80]
    return np.asarray(np.hypot(columns - x, rows - y) < radius)


def select(bodies: Array, labels: Array, raised: Array = RAISED) -> tuple[Array, int]:
    return select_masks(OracleFrame(bodies), labels, raised, HAS_DEPTH, config=MaskSelectionConfig())


def same_regions(first: Array, second: Array) -> bool:
    """Return whether two label images differ in numbers only."""
    pairs = {tuple(pair) for pair in np.stack([first.ravel(), second.ravel()], axis=1).tolist()}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_a_box_holds_its_object_and_its_point_lies_in_the_middle() -> None:
    labels = np.where(disc(30.0, 20.0, 10.5), 0, -1)
    prompts = box_prompts(labels)
    assert prompts.boxes is not None
    assert prompts.boxes[0] == pytest.approx([19.0, 9.0, 41.0, 31.0])
    assert prompts.points[0, 0] == pytest.approx([30.0, 20.0], abs=1.0)


def test_every_point_of_a_grid_lies_in_its_area_and_none_is_asked_of_an_empty_one() -> None:
    area = disc(40.0, 30.0, 25.0)
    column, row = grid_prompts(area, step_px=10).points[:, 0].astype(int).T
    assert area[row, column].all()
    assert len(column) > 12
    assert len(grid_prompts(np.zeros_like(area), step_px=10)) == 0


def test_two_objects_that_geometry_joined_are_separated() -> None:
    bodies = np.where(disc(25.0, 30.0, 12.0), 0, np.where(disc(50.0, 30.0, 12.0), 1, -1))
    image, unanswered = select(bodies, np.where(bodies >= 0, 0, -1), np.where(bodies >= 0, 0.05, 0.0))
    assert unanswered == 0
    assert same_regions(image, bodies)


def test_an_object_that_geometry_split_is_joined() -> None:
    body = disc(40.0, 30.0, 20.0)
    labels = np.where(body, (np.mgrid[:60, :80][1] > 40).astype(int), -1)
    image, _ = select(np.where(body, 0, -1), labels, np.where(body, 0.05, 0.0))
    assert same_regions(image, np.where(body, 0, -1))


def test_an_object_that_geometry_missed_is_found() -> None:
    body = disc(40.0, 30.0, 14.0)
    image, _ = select(np.where(body, 0, -1), NONE, np.where(body, 0.02, 0.0))
    assert same_regions(image, np.where(body, 0, -1))


def test_a_ghost_of_geometry_is_dropped_where_the_model_sees_the_table() -> None:
    ghost = disc(40.0, 30.0, 14.0)
    image, unanswered = select(NONE, np.where(ghost, 0, -1), np.where(ghost, 0.01, 0.0))
    assert (image == -1).all()
    assert unanswered == 0


class Silent:
    """A model whose predictions all have score 0."""

    def predict(self, prompts: Prompts) -> MaskPredictions:
        return MaskPredictions(masks=np.ones((len(prompts), 1, 60, 80), dtype=bool), scores=np.zeros((len(prompts), 1)))


def test_a_proposal_without_prediction_stays_and_is_counted() -> None:
    labels = np.where(disc(40.0, 30.0, 14.0), 0, -1)
    image, unanswered = select_masks(Silent(), labels, RAISED, HAS_DEPTH, config=MaskSelectionConfig())
    assert unanswered == 1
    assert np.array_equal(image, labels)


def test_of_duplicate_masks_the_best_stays() -> None:
    masks = [ScoredMask(pixels=disc(40.0, 30.0, radius), score=score) for radius, score in ((14.0, 0.8), (14.5, 0.9))]
    assert drop_duplicates(masks) == [masks[1]]


def test_a_print_on_a_box_is_no_object_but_two_boxes_side_by_side_are() -> None:
    full_mask = np.zeros((60, 80), dtype=bool)
    full_mask[10:50, 10:70] = True
    left, right = full_mask.copy(), full_mask.copy()
    left[:, 40:], right[:, :40] = False, False
    printed = ScoredMask(pixels=disc(30.0, 30.0, 8.0), score=0.95)
    box = ScoredMask(pixels=full_mask, score=0.9)
    assert resolve_nesting([printed, box], NONE) == [box]
    halves = [ScoredMask(pixels=left, score=0.95), ScoredMask(pixels=right, score=0.95)]
    assert resolve_nesting([*halves, box], NONE) == halves


def test_a_mask_over_two_objects_of_geometry_is_dropped_for_its_parts() -> None:
    full_mask, left = np.zeros((60, 80), dtype=bool), np.zeros((60, 80), dtype=bool)
    full_mask[10:50, 10:70], left[10:50, 10:40] = True, True
    labels = np.where(full_mask, left.astype(int), -1)
    parts = [ScoredMask(pixels=left, score=0.8)]
    assert resolve_nesting([*parts, ScoredMask(pixels=full_mask, score=0.99)], labels) == parts


def numbered(bodies: Sequence[Array], turn: int) -> list[Array]:
    """Return label images with other numbers in every frame, as a model without memory gives them."""
    return [np.where(image > 0, (image - 1 + turn * k) % 2, -1) for k, image in enumerate(bodies)]


def test_views_agree_on_objects_whose_numbers_differ_in_every_view(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.15, -0.05, 0.0), (-0.03, 0.05, 0.12)),
        scene_builder.box((0.02, -0.05, 0.0), (0.14, 0.05, 0.08)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(8), noise=0.002)
    cells = [np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 12)] * 3), axis=-1).reshape(-1, 3)] * 2
    faces = [cell[(np.isin(cell, (0.0, 1.0)).any(axis=1)) & (cell[:, 2] > 0.0)] for cell in cells]
    points = np.concatenate(
        [faces[0] * (0.12, 0.1, 0.12) + (-0.15, -0.05, 0.0), faces[1] * (0.12, 0.1, 0.08) + (0.02, -0.05, 0.0)]
    )
    truth = np.repeat([0, 1], [len(faces[0]), len(faces[1])])
    agreed = cluster_masks(points, capture.frames, numbered(bodies, 1), voxel_m=0.006)
    assert set(np.unique(agreed.labels)) <= {-1, 0, 1}
    best = max(float((agreed.labels == truth).mean()), float((agreed.labels == 1 - truth).mean()))
    assert best > 0.95
    assert all(sorted(objects.tolist()) == [0, 1] for objects in agreed.mask_objects)


def test_masks_are_carried_to_a_frame_between_keyframes(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.1, -0.05, 0.0), (0.02, 0.05, 0.12)),
        scene_builder.box((0.02, -0.05, 0.0), (0.14, 0.05, 0.08)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(16), noise=0.002)
    truth = [np.where(image > 0, image - 1, -1) for image in bodies]
    image = propagate_masks(capture.frames[5], capture.frames[::2], truth[::2], voxel_m=0.006)
    for k in (0, 1):
        both, either = ((image == k) & (truth[5] == k)).sum(), ((image == k) | (truth[5] == k)).sum()
        assert both / either > 0.95


def colored(capture: Capture, folder: Path) -> Capture:
    """Return the capture with a grey image at every frame, for models that use the truth instead."""
    camera = capture.frames[0].depth_camera
    Image.new("RGB", (camera.width, camera.height), (128, 128, 128)).save(folder / "grey.png")
    frames = tuple(replace(frame, color_camera=camera, color_path=folder / "grey.png") for frame in capture.frames)
    return replace(capture, frames=frames)


def test_keyframes_are_spread_over_the_walk_and_have_colour(scene_builder: SimpleNamespace, tmp_path: Path) -> None:
    capture = colored(scene_builder.film([], scene_builder.views(24))[0], tmp_path)
    bare = replace(capture.frames[3], color_camera=None, color_path=None)
    capture = replace(capture, frames=(*capture.frames[:3], bare, *capture.frames[4:]))
    indices = [frame.index for frame in select_keyframes(capture, max_count=6)]
    assert len(indices) == 6
    assert 3 not in indices
    assert max(b - a for a, b in zip(indices, [*indices[1:], 24], strict=True)) <= 6


def segment(capture: Capture, masks: list[dict[int, Array]]) -> Segmentation:
    return Sam(Config(), OracleMaskModel(masks)).segment(capture, rng=np.random.default_rng(0))


def test_two_boxes_with_one_flush_top_are_found_by_the_oracle(scene_builder: SimpleNamespace, tmp_path: Path) -> None:
    boxes = [
        scene_builder.box((-0.1, -0.1, 0.0), (0.0, 0.1, 0.1)),
        scene_builder.box((0.0, -0.1, 0.0), (0.12, 0.1, 0.1)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(16), noise=0.002)
    masks = [{k: image == n for k, image in enumerate(bodies)} for n in (1, 2)]
    segmentation = segment(colored(capture, tmp_path), masks)
    assert len(segmentation.segments) == 2
    for true in masks:
        shared = [
            sum(int((mask & true[k]).sum()) for k, mask in candidate.masks.items())
            / sum(int((mask | true[k]).sum()) for k, mask in candidate.masks.items())
            for candidate in segmentation.segments
        ]
        assert max(shared) > 0.9


def test_without_colour_geometry_segments_alone_with_a_warning(scene_builder: SimpleNamespace) -> None:
    capture, _ = scene_builder.film([scene_builder.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.1))], scene_builder.views(8))
    segmentation = segment(capture, [])
    assert len(segmentation.segments) == 1
    assert NO_COLOR_WARNING in segmentation.warnings
