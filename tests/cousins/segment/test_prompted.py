"""What is asked of a mask model, which answers are taken, and how views agree."""

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
from cousins.segment.backends.sam import NO_COLOR, Config, Sam
from cousins.segment.prompted.consensus import agree
from cousins.segment.prompted.keyframes import keyframes
from cousins.segment.prompted.mask_propagation import carried
from cousins.segment.prompted.mask_selection import AskConfig, Mask, answered, distinct, settled
from cousins.segment.prompted.prompts import Answers, Prompts, box_prompts, grid_prompts
from cousins.segment.segments import Segmentation
from sim.synthetic.oracle_segmenter import KnownFrame, Oracle

NONE = np.full((60, 80), -1)
RAISED = np.full((60, 80), 0.05)
KNOWN = np.ones((60, 80), dtype=bool)


def disc(x: float, y: float, radius: float) -> Array:
    rows, columns = np.mgrid[:60, :80]
    return np.asarray(np.hypot(columns - x, rows - y) < radius)


def ask(bodies: Array, labels: Array, raised: Array = RAISED) -> tuple[Array, int]:
    return answered(KnownFrame(bodies), labels, raised, KNOWN, config=AskConfig())


def same_regions(one: Array, other: Array) -> bool:
    """Tell whether two label images differ in numbers only."""
    pairs = {tuple(pair) for pair in np.stack([one.ravel(), other.ravel()], axis=1).tolist()}
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


def test_two_things_that_geometry_joined_are_told_apart() -> None:
    bodies = np.where(disc(25.0, 30.0, 12.0), 0, np.where(disc(50.0, 30.0, 12.0), 1, -1))
    image, own = ask(bodies, np.where(bodies >= 0, 0, -1), np.where(bodies >= 0, 0.05, 0.0))
    assert own == 0
    assert same_regions(image, bodies)


def test_one_thing_that_geometry_split_is_one() -> None:
    body = disc(40.0, 30.0, 20.0)
    labels = np.where(body, (np.mgrid[:60, :80][1] > 40).astype(int), -1)
    image, _ = ask(np.where(body, 0, -1), labels, np.where(body, 0.05, 0.0))
    assert same_regions(image, np.where(body, 0, -1))


def test_a_thing_that_geometry_overlooked_is_found() -> None:
    body = disc(40.0, 30.0, 14.0)
    image, _ = ask(np.where(body, 0, -1), NONE, np.where(body, 0.02, 0.0))
    assert same_regions(image, np.where(body, 0, -1))


def test_a_ghost_of_geometry_is_dropped_where_the_model_sees_the_table() -> None:
    ghost = disc(40.0, 30.0, 14.0)
    image, own = ask(NONE, np.where(ghost, 0, -1), np.where(ghost, 0.01, 0.0))
    assert (image == -1).all()
    assert own == 0


class Silent:
    """A model that believes none of its answers."""

    def ask(self, prompts: Prompts) -> Answers:
        return Answers(masks=np.ones((len(prompts), 1, 60, 80), dtype=bool), scores=np.zeros((len(prompts), 1)))


def test_what_the_model_does_not_answer_stays_as_geometry_had_it_and_is_counted() -> None:
    labels = np.where(disc(40.0, 30.0, 14.0), 0, -1)
    image, own = answered(Silent(), labels, RAISED, KNOWN, config=AskConfig())
    assert own == 1
    assert np.array_equal(image, labels)


def test_of_answers_that_repeat_each_other_the_best_stays() -> None:
    masks = [Mask(pixels=disc(40.0, 30.0, radius), score=score) for radius, score in ((14.0, 0.8), (14.5, 0.9))]
    assert distinct(masks) == [masks[1]]


def test_a_print_on_a_box_is_no_object_but_two_boxes_side_by_side_are() -> None:
    whole = np.zeros((60, 80), dtype=bool)
    whole[10:50, 10:70] = True
    left, right = whole.copy(), whole.copy()
    left[:, 40:], right[:, :40] = False, False
    printed = Mask(pixels=disc(30.0, 30.0, 8.0), score=0.95)
    box = Mask(pixels=whole, score=0.9)
    assert settled([printed, box], NONE) == [box]
    halves = [Mask(pixels=left, score=0.95), Mask(pixels=right, score=0.95)]
    assert settled([*halves, box], NONE) == halves


def test_a_mask_over_two_things_that_geometry_tells_apart_is_dropped_for_its_parts() -> None:
    whole, left = np.zeros((60, 80), dtype=bool), np.zeros((60, 80), dtype=bool)
    whole[10:50, 10:70], left[10:50, 10:40] = True, True
    labels = np.where(whole, left.astype(int), -1)
    parts = [Mask(pixels=left, score=0.8)]
    assert settled([*parts, Mask(pixels=whole, score=0.99)], labels) == parts


def numbered(bodies: Sequence[Array], turn: int) -> list[Array]:
    """Return label images with other numbers in every frame, as a model without memory gives them."""
    return [np.where(image > 0, (image - 1 + turn * k) % 2, -1) for k, image in enumerate(bodies)]


def test_views_agree_on_objects_whose_numbers_differ_in_every_view(made: SimpleNamespace) -> None:
    things = [made.box((-0.15, -0.05, 0.0), (-0.03, 0.05, 0.12)), made.box((0.02, -0.05, 0.0), (0.14, 0.05, 0.08))]
    capture, bodies = made.film(things, made.views(8), noise=0.002)
    cells = [np.stack(np.meshgrid(*[np.linspace(0.0, 1.0, 12)] * 3), axis=-1).reshape(-1, 3)] * 2
    faces = [cell[(np.isin(cell, (0.0, 1.0)).any(axis=1)) & (cell[:, 2] > 0.0)] for cell in cells]
    points = np.concatenate(
        [faces[0] * (0.12, 0.1, 0.12) + (-0.15, -0.05, 0.0), faces[1] * (0.12, 0.1, 0.08) + (0.02, -0.05, 0.0)]
    )
    truth = np.repeat([0, 1], [len(faces[0]), len(faces[1])])
    agreed = agree(points, capture.frames, numbered(bodies, 1), voxel_m=0.006)
    assert set(np.unique(agreed.labels)) <= {-1, 0, 1}
    best = max(float((agreed.labels == truth).mean()), float((agreed.labels == 1 - truth).mean()))
    assert best > 0.95
    assert all(sorted(of.tolist()) == [0, 1] for of in agreed.of_mask)


def test_masks_are_carried_to_a_frame_between_keyframes(made: SimpleNamespace) -> None:
    things = [made.box((-0.1, -0.05, 0.0), (0.02, 0.05, 0.12)), made.box((0.02, -0.05, 0.0), (0.14, 0.05, 0.08))]
    capture, bodies = made.film(things, made.views(16), noise=0.002)
    truth = [np.where(image > 0, image - 1, -1) for image in bodies]
    image = carried(capture.frames[5], capture.frames[::2], truth[::2], voxel_m=0.006)
    for k in (0, 1):
        both, either = ((image == k) & (truth[5] == k)).sum(), ((image == k) | (truth[5] == k)).sum()
        assert both / either > 0.95


def colored(capture: Capture, folder: Path) -> Capture:
    """Return the capture with a grey image at every frame, for models that look at the truth instead."""
    camera = capture.frames[0].depth_camera
    Image.new("RGB", (camera.width, camera.height), (128, 128, 128)).save(folder / "grey.png")
    frames = tuple(replace(frame, color_camera=camera, color_path=folder / "grey.png") for frame in capture.frames)
    return replace(capture, frames=frames)


def test_keyframes_are_spread_over_the_walk_and_have_colour(made: SimpleNamespace, tmp_path: Path) -> None:
    capture = colored(made.film([], made.views(24))[0], tmp_path)
    bare = replace(capture.frames[3], color_camera=None, color_path=None)
    capture = replace(capture, frames=(*capture.frames[:3], bare, *capture.frames[4:]))
    chosen = [frame.index for frame in keyframes(capture, most=6)]
    assert len(chosen) == 6
    assert 3 not in chosen
    assert max(b - a for a, b in zip(chosen, [*chosen[1:], 24], strict=True)) <= 6


def segment(capture: Capture, masks: list[dict[int, Array]]) -> Segmentation:
    return Sam(Config(), Oracle(masks)).segment(capture, rng=np.random.default_rng(0))


def test_two_boxes_with_one_flush_top_are_found_by_the_oracle(made: SimpleNamespace, tmp_path: Path) -> None:
    things = [made.box((-0.1, -0.1, 0.0), (0.0, 0.1, 0.1)), made.box((0.0, -0.1, 0.0), (0.12, 0.1, 0.1))]
    capture, bodies = made.film(things, made.views(16), noise=0.002)
    masks = [{k: image == n for k, image in enumerate(bodies)} for n in (1, 2)]
    found = segment(colored(capture, tmp_path), masks)
    assert len(found.segments) == 2
    for true in masks:
        shared = [
            sum(int((mask & true[k]).sum()) for k, mask in one.masks.items())
            / sum(int((mask | true[k]).sum()) for k, mask in one.masks.items())
            for one in found.segments
        ]
        assert max(shared) > 0.9


def test_without_colour_geometry_speaks_alone_and_says_so(made: SimpleNamespace) -> None:
    capture, _ = made.film([made.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.1))], made.views(8))
    found = segment(capture, [])
    assert len(found.segments) == 1
    assert NO_COLOR in found.warnings
