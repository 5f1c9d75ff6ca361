from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cousins.capture.captures import Capture
from cousins.geometry import rigid
from cousins.meshes import Mesh
from cousins.segment.affinity.joining import JoiningConfig, absorb_fragments, join_pieces
from cousins.segment.affinity.network import network_of, packaged_network
from cousins.segment.affinity.pair_features import FEATURE_NAMES
from cousins.segment.affinity.view_pieces import ViewPieces
from cousins.segment.backends.geometric import Config, build
from cousins.segment.parts.convex_patches import PatchConfig
from cousins.segment.single_view import find_pieces
from cousins.segment.structure.detection import find_planes
from cousins.segment.surfaces.depth_view import foreground_view
from sim.synthetic.primitives import revolution


def pieces_of(capture: Capture) -> ViewPieces:
    structure = find_planes(capture, rng=np.random.default_rng(0))
    return find_pieces(foreground_view(capture.frames[0], structure), structure, patch=PatchConfig())


def bowl(radius_m: float = 0.08, height_m: float = 0.07) -> Mesh:
    angles = np.linspace(0.15, 0.5 * np.pi, 12)
    outside = [(radius_m * np.sin(a), height_m * (1.0 - np.cos(a)), 0.5) for a in angles]
    inside = [(0.93 * r, z + 0.005, 0.5) for r, z, _ in reversed(outside)]
    profile = [(0.0, 0.0, 0.5), *outside, *inside, (0.0, 0.005, 0.5)]
    return revolution(profile, np.full((4, 4, 3), 200, dtype=np.uint8))


@pytest.fixture(scope="module")
def two_boxes(scene_builder: SimpleNamespace) -> ViewPieces:
    boxes = [
        scene_builder.box((-0.1, -0.1, 0.0), (0.0, 0.1, 0.2)),
        scene_builder.box((0.0, -0.15, 0.0), (0.15, 0.0, 0.08)),
    ]
    return pieces_of(scene_builder.film(boxes, scene_builder.views(8)[1:2])[0])


def test_a_bowl_is_one_object_in_one_view(scene_builder: SimpleNamespace) -> None:
    capture, bodies = scene_builder.film([bowl()], scene_builder.views(8)[:1], noise=0.002)
    result = build(Config()).segment(capture, rng=np.random.default_rng(0))
    assert len(result.segments) == 1
    mask, truth = result.segments[0].masks[0], bodies[0] == 1
    assert np.count_nonzero(mask & truth) > 0.85 * np.count_nonzero(mask | truth)


def test_two_boxes_that_touch_stay_two_and_both_stand(two_boxes: ViewPieces) -> None:
    joined = join_pieces(two_boxes, packaged_network().log_odds)
    sizes = np.bincount(joined.object_of_piece[two_boxes.labels])
    assert np.count_nonzero(sizes > 200) == 2
    assert joined.is_standing[np.argsort(-sizes)[:2]].all()


def test_joining_stops_where_the_log_odds_are_negative_and_takes_all_where_positive(two_boxes: ViewPieces) -> None:
    config = JoiningConfig(min_hanging_log_odds=np.inf)
    apart = join_pieces(two_boxes, lambda features: np.full(len(features), -1.0), config=config)
    together = join_pieces(two_boxes, lambda features: np.full(len(features), 2.0), config=config)
    assert len(apart.is_standing) == int(two_boxes.labels.max()) + 1
    assert len(together.is_standing) < len(apart.is_standing)
    main = int(np.argmax(np.bincount(together.object_of_piece[two_boxes.labels])))
    assert together.doubt[main] == pytest.approx(1.0 / (1.0 + np.exp(2.0)))


def test_what_hangs_joins_what_it_touches_unless_that_is_out_of_the_question(scene_builder: SimpleNamespace) -> None:
    console = [
        scene_builder.box((-0.1, -0.1, 0.0), (0.05, 0.1, 0.25)),
        scene_builder.box((0.05, -0.02, 0.1), (0.12, 0.02, 0.14)),
    ]
    pieces = pieces_of(scene_builder.film(console, scene_builder.views(8)[:1])[0])

    def doubtful(features: np.ndarray) -> np.ndarray:
        return np.full(len(features), -2.0)

    joined = join_pieces(pieces, doubtful)
    refused = join_pieces(pieces, doubtful, config=JoiningConfig(min_hanging_log_odds=-1.0))
    assert len(joined.is_standing) < len(refused.is_standing)
    assert not refused.is_standing.all()


def test_a_fragment_joins_the_piece_that_it_touches(two_boxes: ViewPieces) -> None:
    count = int(two_boxes.labels.max()) + 1
    labels = two_boxes.labels.copy()
    largest = int(np.argmax(np.bincount(labels)))
    fragment = np.flatnonzero(labels == largest)[:5]
    labels[fragment] = count
    border = replace(
        two_boxes.border.subset(np.arange(len(two_boxes.border.first)) < 2),
        first=np.array([count, largest]),
        second=np.array([largest, count]),
        touching=np.array([True, True]),
    )
    joined = absorb_fragments(replace(two_boxes, labels=labels, border=border), JoiningConfig())
    assert joined[count] == joined[largest]
    assert len(np.unique(joined)) == count


def test_weights_for_other_features_are_refused() -> None:
    network = packaged_network()
    record = {"features": [*FEATURE_NAMES[:-1], "smell"], "mean": network.mean.tolist(), "scale": [], "members": []}
    with pytest.raises(AssertionError, match="other features"):
        network_of(json.loads(json.dumps(record)))


def test_log_odds_of_pairs_do_not_depend_on_the_other_pairs() -> None:
    features = np.random.default_rng(0).normal(size=(50, len(FEATURE_NAMES)))
    network = packaged_network()
    np.testing.assert_allclose(network.log_odds(features)[7:8], network.log_odds(features[7:8]), rtol=1e-12)


def test_a_view_from_one_side_moved_in_the_world_gives_the_same_objects(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.1, -0.05, 0.0), (0.0, 0.05, 0.1)),
        scene_builder.box((0.05, 0.0, 0.0), (0.1, 0.1, 0.07)),
    ]
    capture, _ = scene_builder.film(boxes, scene_builder.views(8)[:1])
    moved = rigid(None, np.array([3.0, -2.0, 1.0]))
    frame = capture.frames[0]
    shifted = replace(capture, frames=(replace(frame, world_from_camera=moved @ frame.world_from_camera),))
    first, second = (build(Config()).segment(c, rng=np.random.default_rng(0)) for c in (capture, shifted))
    assert [int(s.masks[0].sum()) for s in first.segments] == pytest.approx(
        [int(s.masks[0].sum()) for s in second.segments], rel=0.05
    )


def test_a_box_on_a_box_of_its_size_stays_two_in_one_view(scene_builder: SimpleNamespace) -> None:
    boxes = [
        scene_builder.box((-0.09, -0.07, 0.0), (0.09, 0.07, 0.08)),
        scene_builder.box((-0.06, -0.045, 0.08), (0.06, 0.045, 0.17)),
    ]
    pieces = pieces_of(scene_builder.film(boxes, scene_builder.views(8)[1:2])[0])
    joined = join_pieces(pieces, lambda features: np.full(len(features), 1.0))
    assert np.count_nonzero(np.bincount(joined.object_of_piece[pieces.labels]) > 200) == 2
