"""Bodies from above, against brute force over all pairs of edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from cousins.geometry import Array, rotation_about
from cousins.vary.placement.footprints import (
    Footprint,
    covers,
    distance_m,
    footprint_of_asset,
    footprint_of_points,
    footprint_of_structure,
    have_clearance,
    merge_footprints,
    rectangle_footprint,
)
from sim.physics.simple_assets import slab
from tests.cousins.scene.scenes_for_tests import bowl_asset, box_asset, cabinet_asset, can_asset

seeds = st.integers(0, 2**32 - 1)


def polygon(rng: np.random.Generator) -> Array:
    """A convex outline of up to eight corners, counter-clockwise, some centimetres wide."""
    points = rng.uniform(-1.0, 1.0, (int(rng.integers(3, 9)), 2)) * rng.uniform(0.005, 0.08, 2)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    points = points @ np.array([[c, s], [-s, c]]) + rng.uniform(-0.08, 0.08, 2)
    return np.asarray(points[ConvexHull(points).vertices])


def body(rng: np.random.Generator) -> tuple[Footprint, list[Array]]:
    """Up to three prisms, and their outlines."""
    outlines = [polygon(rng) for _ in range(int(rng.integers(1, 4)))]
    pieces = []
    for outline in outlines:
        low = rng.uniform(0.0, 0.2)
        high = low + rng.uniform(0.01, 0.2)
        pieces.append(np.concatenate([np.column_stack([outline, np.full(len(outline), z)]) for z in (low, high)]))
    return footprint_of_points(pieces), outlines


def edges_of(outline: Array) -> list[tuple[Array, Array]]:
    return list(zip(outline, np.roll(outline, -1, axis=0), strict=True))


def inside(point: Array, outline: Array) -> bool:
    """Even-odd rule: a ray to the right crosses an odd number of edges."""
    crossings = 0
    for a, b in edges_of(outline):
        if (a[1] > point[1]) != (b[1] > point[1]):
            crossings += bool(point[0] < a[0] + (point[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))
    return crossings % 2 == 1


def crosses(a: Array, b: Array, c: Array, d: Array) -> bool:
    def side(p: Array, q: Array, r: Array) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return side(a, b, c) * side(a, b, d) < 0.0 and side(c, d, a) * side(c, d, b) < 0.0


def from_segment(point: Array, a: Array, b: Array) -> float:
    t = float(np.clip((point - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0))
    return float(np.linalg.norm(point - a - t * (b - a)))


def apart(first: Array, second: Array) -> float:
    """Distance of two convex outlines over all pairs of edges; 0 where they meet."""
    if inside(first[0], second) or inside(second[0], first):
        return 0.0
    best = np.inf
    for a, b in edges_of(first):
        for c, d in edges_of(second):
            if crosses(a, b, c, d):
                return 0.0
            best = min(best, from_segment(a, c, d), from_segment(c, a, b))
    return best


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_the_distance_is_that_of_the_nearest_edges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (first, a), (second, b) = body(rng), body(rng)
    truth = min(apart(outline, other) for outline in a for other in b)
    assert distance_m(first, second) == pytest.approx(truth, abs=1e-12)
    assert distance_m(second, first) == pytest.approx(truth, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(seeds, st.floats(0.0, 0.03))
def test_separated_bodies_keep_the_gap_wherever_their_heights_meet(seed: int, gap_m: float) -> None:
    rng = np.random.default_rng(seed)
    (first, a), (second, b) = body(rng), body(rng)
    truth = min(
        (
            apart(outline, other)
            for outline, low in zip(a, first.heights, strict=True)
            for other, high in zip(b, second.heights, strict=True)
            if low[0] <= high[1] and high[0] <= low[1]
        ),
        default=np.inf,
    )
    separated = have_clearance(first, second, gap_m=gap_m)
    assert separated == have_clearance(second, first, gap_m=gap_m)
    if separated:
        assert truth >= gap_m - 1e-12
    if truth > 1e-9:
        assert have_clearance(first, second, gap_m=0.0)


@settings(max_examples=100, deadline=None)
@given(seeds)
def test_a_region_covers_what_has_every_corner_over_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (region, outlines), (shape, _) = body(rng), body(rng)
    corners = shape.points * 0.3
    small = Footprint(points=corners, starts=shape.starts, heights=shape.heights)
    edge = min(from_segment(p, a, b) for p in corners for o in outlines for a, b in edges_of(o))
    if edge > 1e-9:
        assert covers(region, small) == all(any(inside(point, outline) for outline in outlines) for point in corners)


@settings(max_examples=50, deadline=None)
@given(seeds)
def test_moving_both_alike_changes_nothing_between_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (first, _), (second, _) = body(rng), body(rng)
    move = (*rng.uniform(-1.0, 1.0, 2), rng.uniform(-4.0, 4.0), rng.uniform(-1.0, 1.0))
    assert distance_m(first.transformed(*move), second.transformed(*move)) == pytest.approx(
        distance_m(first, second), abs=1e-9
    )
    assert first.transformed(*move).bottom_m == pytest.approx(first.bottom_m + move[3])


def test_bodies_at_other_heights_are_separated_however_their_outlines_overlap() -> None:
    low, high = (
        rectangle_footprint((0, 0), (0.1, 0.1), 0.3, (0.0, 0.1)),
        rectangle_footprint((0, 0), (0.1, 0.1), 0.0, (0.11, 0.2)),
    )
    assert have_clearance(low, high, gap_m=0.05)
    assert distance_m(low, high) == 0.0
    assert not have_clearance(low, high.transformed(0, 0, 0, -0.02), gap_m=0.0)


def test_clearance_is_measured_against_the_gap() -> None:
    first, second = (rectangle_footprint((x, 0), (0.05, 0.05), 0.0, (0.0, 0.1)) for x in (0.0, 0.12))
    assert distance_m(first, second) == pytest.approx(0.02)
    assert have_clearance(first, second, gap_m=0.0199)
    assert not have_clearance(first, second, gap_m=0.0201)


def test_merged_footprints_are_as_near_as_the_nearer_one() -> None:
    rng = np.random.default_rng(3)
    first, second, third = (body(rng)[0] for _ in range(3))
    third = third.transformed(0.3, 0.0, 0.0, 0.0)
    both = merge_footprints([first, second])
    assert distance_m(both, third) == min(distance_m(first, third), distance_m(second, third))
    assert (both.bottom_m, both.top_m) == (min(first.bottom_m, second.bottom_m), max(first.top_m, second.top_m))


@pytest.mark.parametrize(
    "asset", [box_asset(), can_asset(), bowl_asset(), cabinet_asset()], ids=lambda asset: asset.name
)
def test_an_assets_footprint_holds_all_its_pieces(asset) -> None:  # type: ignore[no-untyped-def]
    tilt = rotation_about(np.array([1.0, 0.2, 0.0]), 0.4)
    shape = footprint_of_asset(asset, tilt)
    assert len(shape.heights) == sum(len(link.pieces) for link in asset.links)
    root = asset.links[0]
    hull = footprint_of_points([shape.points @ np.eye(2, 3) * 1.000001])
    for piece in root.pieces:
        points = piece.mesh.vertices @ tilt.T
        assert shape.bottom_m - 1e-9 <= points[:, 2].min()
        assert points[:, 2].max() <= shape.top_m + 1e-9
        assert covers(hull, footprint_of_points([points]))
    assert shape.radius_m == pytest.approx(np.linalg.norm(shape.points, axis=1).max())


def test_an_open_door_widens_the_footprint() -> None:
    shut = footprint_of_asset(cabinet_asset(), np.eye(3))
    wide = footprint_of_asset(cabinet_asset(), np.eye(3), joints={"hinge": 1.2})
    assert np.ptp(wide.points[:, 0]) > np.ptp(shut.points[:, 0]) + 0.1


def test_the_footprint_of_a_structure_is_in_the_world_frame() -> None:
    table = footprint_of_structure(slab("table", size_m=(1.0, 0.6, 0.05), top_m=0.7))
    assert (table.bottom_m, table.top_m) == pytest.approx((0.65, 0.7))
    assert covers(table, rectangle_footprint((0.4, 0.2), (0.05, 0.05), 0.0, (0.7, 0.8)))
    assert not covers(table, rectangle_footprint((0.4, 0.26), (0.05, 0.05), 0.0, (0.7, 0.8)))


def test_a_piece_on_edge_from_above_still_has_an_outline() -> None:
    sheet = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [0.1, 0.0, 0.1], [0.0, 0.0, 0.1]])
    shape = footprint_of_points([sheet])
    assert np.ptp(shape.points[:, 0]) == pytest.approx(0.1, abs=1e-5)
    assert not have_clearance(shape, rectangle_footprint((0.05, 0.0), (0.01, 0.01), 0.0, (0.0, 0.1)), gap_m=0.0)
