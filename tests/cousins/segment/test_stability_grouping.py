from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.segment.parts.stability_grouping import GroupConfig, Pieces, group_by_stability, merge_groups


def test_union_names_groups_by_their_lowest_member() -> None:
    assert merge_groups([0, 1, 2, 3], [(3, 1), (2, 3)]) == [0, 1, 1, 1]


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
    number, keep = group_by_stability(pieces, config=GroupConfig())
    assert number.tolist() == [0, 1, 1]
    assert keep.all()


def test_what_stands_stays_alone() -> None:
    pieces = _pieces([True, True], [[0.0, 0.5], [0.5, 0.0]])
    assert group_by_stability(pieces, config=GroupConfig())[0].tolist() == [0, 1]


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
def test_rests_join_as_if_all_contacts_were_recomputed_after_every_join(seed: int) -> None:
    rng = np.random.default_rng(seed)
    touching = np.triu(rng.random((30, 30)) * (rng.random((30, 30)) < 0.2), 1)
    pieces = replace(_pieces([True] * 30, touching + touching.T), areas=rng.uniform(0.01, 1.0, 30) ** 3)
    config = GroupConfig(min_area_m2=0.0, min_share=0.5)
    grouped, expected = group_by_stability(pieces, config=config)[0], _all_over(pieces, config)
    assert np.array_equal(grouped[:, None] == grouped, np.equal.outer(expected, expected))
    assert len(set(expected)) < 25
