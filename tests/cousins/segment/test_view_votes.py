"""Votes of views that were segmented alone: two things that touch are apart where most views show them apart."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cousins.geometry import Array
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.structure.detection import find_planes
from cousins.segment.surfaces.surface import world_points
from cousins.segment.view_votes import MAX_VIEW_PIXELS, ViewVotes, segment_views, vote_on_points

LABELS = np.repeat([0, 1], 20)
"""Two groups of twenty points."""
POINTS = np.stack([np.linspace(0.0, 0.4, 40), np.zeros(40), np.zeros(40)], axis=1)
"""The points, on a line of 40 cm."""


def votes_of(*views: tuple[int, int]) -> ViewVotes:
    """Return votes of views that show the two groups, some decimetres long, as these objects."""
    return ViewVotes(objects=np.array([np.repeat(view, 20) for view in views]), points=POINTS)


def test_the_majority_decides_whether_two_groups_are_apart() -> None:
    together, apart = votes_of((0, 1), (4, 4), (2, 3)).count(LABELS)
    assert (together[0, 1], apart[0, 1]) == (1, 2)
    assert votes_of((0, 1), (4, 4), (2, 3)).are_apart(LABELS)[0, 1]
    assert not votes_of((0, 1), (4, 4), (2, 2)).are_apart(LABELS)[0, 1]
    assert not votes_of((0, 1), (4, 4), (2, 3), (5, 5)).are_apart(LABELS)[0, 1]


def test_two_views_are_not_believed_and_views_without_one_group_say_nothing() -> None:
    assert not votes_of((0, 1), (2, 3)).are_apart(LABELS)[0, 1]
    assert not votes_of((0, 1), (2, 3), (0, -1), (-1, 1)).are_apart(LABELS)[0, 1]


def test_a_group_that_a_view_cuts_into_equal_parts_has_no_vote_in_it() -> None:
    halves = np.where(np.arange(40) < 20, np.arange(40) % 2, 5)
    together, apart = ViewVotes(objects=np.array([halves, halves, halves]), points=POINTS).count(LABELS)
    assert together[0, 1] == apart[0, 1] == 0


def test_views_have_no_vote_on_parts_of_furniture() -> None:
    objects = votes_of((0, 1), (2, 3), (4, 5)).objects
    assert not ViewVotes(objects=objects, points=2.0 * POINTS).are_apart(LABELS).any()


def test_a_subset_of_points_has_its_own_votes() -> None:
    votes = votes_of((0, 1), (2, 3), (4, 5)).subset(LABELS == 0)
    assert votes.objects.shape == (3, 20)
    assert not votes.are_apart(LABELS[:20]).any()


def test_views_of_two_boxes_put_their_points_into_two_objects(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.12, -0.06, 0.0), (-0.02, 0.06, 0.1)),
        scene_builder.box((0.05, -0.06, 0.0), (0.15, 0.06, 0.1)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(6, height_m=0.6), noise=0.001)
    structure = find_planes(capture, rng=np.random.default_rng(0))
    views = segment_views(capture.frames, structure, patch=PatchConfig(), group=GroupConfig())
    frame, image = capture.frames[0], bodies[0]
    points: Array = np.concatenate([world_points(frame)[image == body] for body in (1, 2)])
    labels = np.repeat([0, 1], [int((image == body).sum()) for body in (1, 2)])
    votes = vote_on_points(views, points, voxel_m=0.004)
    assert votes.are_apart(labels)[0, 1]
    assert not votes.are_apart(np.arange(len(labels)) % 2)[0, 1]


def test_a_large_view_is_segmented_on_a_share_of_its_pixels(scene_builder: SimpleNamespace) -> None:
    capture, _ = scene_builder.film([], scene_builder.views(8)[:1])
    (frame,) = capture.frames
    structure = find_planes(capture, rng=np.random.default_rng(0))
    (view,) = segment_views((frame,), structure, patch=PatchConfig(), group=GroupConfig())
    step = view.step
    assert view.labels.size <= MAX_VIEW_PIXELS
    np.testing.assert_allclose(world_points(view.frame), world_points(frame)[::step, ::step], atol=1e-9)
