from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from cousins.segment.backends.geometric import Config, build
from cousins.segment.segments import Segmentation


@pytest.fixture
def segment() -> Callable[..., Segmentation]:
    return lambda capture: build(Config()).segment(capture, rng=np.random.default_rng(0))


def test_a_cup_with_thin_walls_and_a_handle_is_one_object(
    scene_builder: SimpleNamespace, segment: Callable[..., Segmentation]
) -> None:
    walls = [
        scene_builder.box((-0.05, -0.05, 0.0), (0.05, -0.046, 0.1)),
        scene_builder.box((-0.05, 0.046, 0.0), (0.05, 0.05, 0.1)),
        scene_builder.box((-0.05, -0.05, 0.0), (-0.046, 0.05, 0.1)),
        scene_builder.box((0.046, -0.05, 0.0), (0.05, 0.05, 0.1)),
        scene_builder.box((-0.05, -0.05, 0.0), (0.05, 0.05, 0.006)),
        scene_builder.box((0.05, -0.006, 0.07), (0.085, 0.006, 0.085)),
        scene_builder.box((0.075, -0.006, 0.02), (0.085, 0.006, 0.085)),
        scene_builder.box((0.05, -0.006, 0.015), (0.085, 0.006, 0.03)),
    ]
    capture, _ = scene_builder.film(walls, scene_builder.views(20), noise=0.003)
    assert len(segment(capture).segments) == 1


def test_what_nearly_touches_at_a_corner_stays_two_objects(
    scene_builder: SimpleNamespace, segment: Callable[..., Segmentation]
) -> None:
    boxes = [
        scene_builder.box((-0.1, -0.1, 0.0), (0.0, 0.0, 0.12)),
        scene_builder.box((0.003, 0.003, 0.0), (0.1, 0.1, 0.08)),
    ]
    capture, _ = scene_builder.film(boxes, scene_builder.views(20), noise=0.003)
    assert len(segment(capture).segments) == 2


def test_a_handle_that_ends_in_the_middle_of_its_head_is_part_of_it_and_a_stick_on_the_ground_is_not(
    scene_builder: SimpleNamespace, segment: Callable[..., Segmentation]
) -> None:
    head = scene_builder.box((-0.03, -0.03, 0.0), (0.03, 0.03, 0.11))
    handle = scene_builder.box((0.03, -0.012, 0.045), (0.26, 0.012, 0.07))
    hammer, _ = scene_builder.film([head, handle], scene_builder.views(24), noise=0.002)
    assert len(segment(hammer).segments) == 1
    stick = scene_builder.box((0.034, -0.012, 0.0), (0.26, 0.012, 0.025))
    beside, _ = scene_builder.film([head, stick], scene_builder.views(24), noise=0.002)
    assert len(segment(beside).segments) == 2
