from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.segment.geometric_names import fit_upright_box, name_by_geometry
from cousins.segment.parts.edge_contraction import join
from cousins.segment.parts.stability_grouping import GroupConfig, Pieces, settle, union
from cousins.segment.surfaces.surface import edge_pixels, flying_pixels, smallest_axis


def test_a_short_leak_is_outvoted_by_the_rest_of_the_crease() -> None:
    pairs = np.array([[0, 1], [2, 3], [0, 2], [1, 3]])
    groups = join(4, pairs, np.array([5.0, 5.0, 1.0, -3.0]))
    assert groups.tolist() == [0, 0, 1, 1]


def test_joining_does_not_depend_on_the_order_of_the_pairs() -> None:
    rng = np.random.default_rng(0)
    pairs = np.array([(a, b) for a in range(12) for b in range(a + 1, 12)])
    weights = rng.normal(size=len(pairs))
    order = rng.permutation(len(pairs))
    assert np.array_equal(join(12, pairs, weights), join(12, pairs[order], weights[order]))


def test_union_names_groups_by_their_lowest_member() -> None:
    assert union([0, 1, 2, 3], [(3, 1), (2, 3)]) == [0, 1, 1, 1]


def _pieces(grounded: list[bool], touching: list[list[float]]) -> Pieces:
    count = len(grounded)
    return Pieces(
        areas=np.full(count, 0.01),
        grounded=np.array(grounded),
        hidden=np.zeros(count, dtype=bool),
        touching=np.array(touching),
        carried=np.zeros((count, count)),
    )


def test_what_hangs_joins_the_neighbour_it_touches_most() -> None:
    pieces = _pieces([True, False, True], [[0.0, 0.1, 0.0], [0.1, 0.0, 0.3], [0.0, 0.3, 0.0]])
    number, keep = settle(pieces, config=GroupConfig())
    assert number.tolist() == [0, 1, 1]
    assert keep.all()


def test_what_stands_stays_alone() -> None:
    pieces = _pieces([True, True], [[0.0, 0.5], [0.5, 0.0]])
    assert settle(pieces, config=GroupConfig())[0].tolist() == [0, 1]


def _all_over(pieces: Pieces, config: GroupConfig) -> list[int]:
    """Settle by rebuilding every contact after every join, hanging ones aside."""
    group = list(range(len(pieces.areas)))
    while True:
        names = sorted(set(group))
        member = np.array([[g == name for g in group] for name in names], dtype=float)
        touching = member @ pieces.touching @ member.T
        np.fill_diagonal(touching, 0.0)
        areas, best = member @ pieces.areas, touching.argmax(axis=1)
        rest = (touching.sum(axis=1) > 1e-9) & (areas < config.min_share * areas[best])
        if not rest.any():
            return [names.index(g) for g in group]
        gone = min(np.flatnonzero(rest), key=lambda k: areas[k])
        group = [names[best[gone]] if g == names[gone] else g for g in group]


@pytest.mark.parametrize("seed", range(5))
def test_rests_join_as_if_all_contacts_were_measured_anew_after_every_join(seed: int) -> None:
    rng = np.random.default_rng(seed)
    touching = np.triu(rng.random((30, 30)) * (rng.random((30, 30)) < 0.2), 1)
    pieces = replace(_pieces([True] * 30, touching + touching.T), areas=rng.uniform(0.01, 1.0, 30) ** 3)
    config = GroupConfig(min_area_m2=0.0, min_share=0.5)
    found, wanted = settle(pieces, config=config)[0], _all_over(pieces, config)
    assert np.array_equal(found[:, None] == found, np.equal.outer(wanted, wanted))
    assert len(set(wanted)) < 25


def test_the_smallest_axis_is_the_normal_of_a_plane() -> None:
    rng = np.random.default_rng(1)
    normal = np.array([1.0, 2.0, -0.5]) / np.linalg.norm([1.0, 2.0, -0.5])
    points = rng.normal(size=(500, 3))
    points -= np.outer(points @ normal, normal)
    xx, xy, xz, _, yy, yz, _, _, zz = np.cov(points.T).ravel()
    found = np.array(smallest_axis(np.array([xx, xy, xz, yy, yz, zz])))
    assert abs(found @ normal) == pytest.approx(1.0, abs=1e-9)


def test_a_mixed_pixel_flies_and_the_true_sides_of_a_step_do_not() -> None:
    depth = np.full((9, 9), 1.0, dtype=np.float32)
    depth[:, 5:] = 0.6
    depth[:, 4] = 0.8
    assert flying_pixels(depth)[:, 4].all()
    assert not flying_pixels(depth)[:, [0, 1, 2, 3, 5, 6, 7, 8]].any()
    assert edge_pixels(depth)[:, 3:6].all()


def test_an_upright_box_is_measured_in_any_turn() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform(-0.5, 0.5, size=(20000, 3)) * [0.3, 0.12, 0.2]
    turn = np.deg2rad(33.0)
    points[:, :2] = points[:, :2] @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    assert fit_upright_box(points).size_m == pytest.approx([0.3, 0.12, 0.2], abs=0.006)


def test_round_things_are_called_round() -> None:
    rng = np.random.default_rng(3)
    angle, height = rng.uniform(0.0, 2.0 * np.pi, 4000), rng.uniform(0.0, 0.12, 4000)
    wall = np.stack([0.035 * np.cos(angle), 0.035 * np.sin(angle), height], axis=1)
    radius = 0.035 * np.sqrt(rng.uniform(size=1000))
    lid = np.stack([radius * np.cos(angle[:1000]), radius * np.sin(angle[:1000]), np.full(1000, 0.12)], axis=1)
    assert name_by_geometry(np.concatenate([wall, lid])).text == "cylinder ø7×12 cm"
