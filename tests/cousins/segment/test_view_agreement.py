from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.parts.stability_grouping import GroupConfig
from cousins.segment.structure.detection import find_planes
from cousins.segment.view_agreement import ViewAgreement, compare_views
from cousins.segment.view_votes import segment_views


def agreement_of(scene_builder: SimpleNamespace, groups: tuple[tuple[int, ...], ...]) -> ViewAgreement:
    """Return the agreement of views with objects that are unions of two boxes' true masks."""
    boxes = [
        scene_builder.box((-0.12, -0.06, 0.0), (-0.02, 0.06, 0.1)),
        scene_builder.box((0.05, -0.06, 0.0), (0.15, 0.06, 0.1)),
    ]
    capture, bodies = scene_builder.film(boxes, scene_builder.views(6, height_m=0.6), noise=0.001)
    masks = [{k: np.isin(image, group) for k, image in enumerate(bodies)} for group in groups]
    structure = find_planes(capture, rng=np.random.default_rng(0))
    views = segment_views(capture.frames, structure, patch=PatchConfig(), group=GroupConfig())
    return compare_views(views, masks)


def test_views_agree_with_true_objects(scene_builder: SimpleNamespace) -> None:
    assert agreement_of(scene_builder, ((1,), (2,))).sentences(2) == ()


def test_two_boxes_taken_for_one_object_are_reported_with_a_number(scene_builder: SimpleNamespace) -> None:
    agreement = agreement_of(scene_builder, ((1, 2),))
    assert agreement.cut_by_most() == [0]
    assert agreement.sentences(1) == ("1 of 1 objects may hold two things: most single views show them apart",)


def test_a_box_in_two_halves_is_reported_with_a_number() -> None:
    agreement = ViewAgreement(
        view_count={0: 5, 1: 5}, cut_count={}, joined_count={(0, 1): 4}, pair_view_count={(0, 1): 5}
    )
    assert agreement.joined_by_most() == [(0, 1)]
    assert agreement.sentences(3) == ("1 of 3 objects may be part of another: most single views show them as one",)


def test_too_few_views_say_nothing() -> None:
    agreement = ViewAgreement(view_count={0: 2}, cut_count={0: 2}, joined_count={}, pair_view_count={})
    assert agreement.sentences(1) == ()
