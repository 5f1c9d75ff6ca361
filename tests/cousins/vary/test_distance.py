"""Distances by axis, in numbers that can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from cousins.quantities import Quantity
from cousins.vary.cousins import Cousin, ObjectInstance
from cousins.vary.distance import (
    _interval_distance,
    _pose_distance,
    _ratio_distance,
    distances,
    pose_distances,
    shape_distance,
)
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.cousins.vary.tables_for_tests import sampler_at, table_library


def twin() -> Cousin:
    return sampler_at(0.5).twin


def moved(name: str, *, x_m: float = 0.0, z_m: float = 0.0, turn_rad: float = 0.0) -> Cousin:
    """Return the twin with one object moved and turned about z."""
    objects = []
    for instance in twin().objects:
        if instance.name == name:
            x, y, z = instance.position_m
            half = turn_rad / 2.0
            instance = replace(
                instance, position_m=(x + x_m, y, z + z_m), quat_wxyz=(math.cos(half), 0.0, 0.0, math.sin(half))
            )
        objects.append(instance)
    return replace(twin(), objects=tuple(objects))


def layout_of(cousin: Cousin) -> float:
    return pose_distances(cousin, twin())["layout"] * sum(not instance.fixed for instance in twin().objects)


@pytest.mark.parametrize(("turn_rad", "expected"), [(math.pi, 0.5), (math.pi / 2, 0.25), (-math.pi / 3, 1 / 6)])
def test_a_turn_alone_counts_half_of_its_share_of_half_a_turn(turn_rad: float, expected: float) -> None:
    assert layout_of(moved("brick", turn_rad=turn_rad)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("x_m", "expected"), [(0.25, 0.25), (0.5, 0.5), (2.0, 0.5)])
def test_a_move_alone_counts_half_of_its_share_of_half_a_metre(x_m: float, expected: float) -> None:
    assert layout_of(moved("brick", x_m=x_m)) == pytest.approx(expected, abs=1e-5)


def test_height_counts_nothing_and_moves_and_turns_add_up() -> None:
    assert layout_of(moved("brick", z_m=0.3)) == 0.0
    assert layout_of(moved("brick", x_m=-0.25, turn_rad=math.pi / 2)) == pytest.approx(0.5, abs=1e-5)


def instance_with(*quat: float) -> ObjectInstance:
    return replace(twin().objects[0], quat_wxyz=quat)  # type: ignore[arg-type]


def test_a_turn_is_measured_about_z_and_against_the_orientation_in_the_twin() -> None:
    s = math.sqrt(0.5)
    turned, tilted = instance_with(s, 0.0, 0.0, s), instance_with(s, s, 0.0, 0.0)
    assert _pose_distance(turned, turned) == pytest.approx(0.0, abs=1e-9)
    assert _pose_distance(tilted, tilted) == pytest.approx(0.0, abs=1e-9)
    assert _pose_distance(turned, instance_with(s, 0.0, 0.0, -s)) == pytest.approx(0.5)
    assert _pose_distance(instance_with(0.0, 0.0, s, s), tilted) == pytest.approx(0.5)


def test_the_axes_are_held_against_the_twin() -> None:
    cousin = moved("brick", x_m=0.25)
    library = table_library()
    assert distances(twin(), library, twin()) == dict.fromkeys(twin().distances, 0.0)
    result = distances(cousin, library, twin())
    assert [axis for axis, value in result.items() if value] == (
        ["layout", "task"] if cousin.task.target == "brick" else ["layout"]
    )
    fewer = replace(twin(), objects=twin().objects[:-1])
    assert distances(fewer, library, twin())["clutter"] == pytest.approx(0.2)


def test_a_goal_or_another_target_counts_half_each() -> None:
    task = twin().task
    x, y, z = task.goal_m
    farther = replace(twin(), task=replace(task, goal_m=(x + 0.25, y, z)))
    assert pose_distances(farther, twin())["task"] == pytest.approx(0.25)
    assert pose_distances(replace(twin(), task=replace(task, goal_m=(x, y, z + 1.0))), twin())["task"] == 0.0
    other = next(instance for instance in twin().objects if instance.name != task.target)
    start = next(instance for instance in twin().objects if instance.name == task.target)
    goal = tuple(g + o - s for g, o, s in zip(task.goal_m, other.position_m, start.position_m, strict=True))
    swapped = replace(twin(), task=replace(task, target=other.name, goal_m=goal))  # type: ignore[arg-type]
    assert pose_distances(swapped, twin())["task"] == pytest.approx(0.5)
    assert pose_distances(replace(twin(), task=replace(task, target="")), twin())["task"] == 0.0


@pytest.mark.parametrize(
    ("value", "expected"), [(2.0, 0.5), (0.5, 0.5), (4.0, 1.0), (40.0, 1.0), (1.0, 0.0), (0.0, 1.0)]
)
def test_ratios_are_held_against_a_factor_of_four(value: float, expected: float) -> None:
    assert _ratio_distance(value, 1.0) == pytest.approx(expected)


def test_two_ratios_of_nothing_are_equal() -> None:
    assert _ratio_distance(0.0, 0.0) == 0.0
    assert _ratio_distance(1.0, 0.0) == 1.0


@pytest.mark.parametrize(
    ("value", "expected"), [(1.0, 0.0), (1.5, 0.25), (3.0, 1.0), (9.0, 1.0), (0.75, 0.5), (0.1, 1.0)]
)
def test_a_value_is_held_against_that_end_of_the_interval_to_which_it_lies(value: float, expected: float) -> None:
    assert _interval_distance(Quantity(value=1.0, low=0.5, high=3.0, source="test"), value) == pytest.approx(expected)
    assert _interval_distance(Quantity(value=1.0, low=1.0, high=1.0, source="test"), value) == 0.0


def test_a_box_half_as_high_shares_half_of_its_space() -> None:
    box = box_asset("box", (0.1, 0.1, 0.1))
    assert shape_distance(box, box) == 0.0
    assert shape_distance(box, box_asset("low", (0.1, 0.1, 0.05))) == pytest.approx(0.5, abs=0.03)
    assert shape_distance(box_asset("low", (0.1, 0.1, 0.05)), box) == pytest.approx(0.5, abs=0.03)
