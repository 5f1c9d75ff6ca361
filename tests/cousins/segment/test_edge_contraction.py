from __future__ import annotations

import numpy as np

from cousins.segment.parts.edge_contraction import contract_edges


def test_a_short_leak_is_outvoted_by_the_rest_of_the_crease() -> None:
    pairs = np.array([[0, 1], [2, 3], [0, 2], [1, 3]])
    groups = contract_edges(4, pairs, np.array([5.0, 5.0, 1.0, -3.0]))
    assert groups.tolist() == [0, 0, 1, 1]


def test_joining_does_not_depend_on_the_order_of_the_pairs() -> None:
    rng = np.random.default_rng(0)
    pairs = np.array([(a, b) for a in range(12) for b in range(a + 1, 12)])
    weights = rng.normal(size=len(pairs))
    order = rng.permutation(len(pairs))
    assert np.array_equal(contract_edges(12, pairs, weights), contract_edges(12, pairs[order], weights[order]))
