"""Cluster patches by signed evidence between neighbours: the strongest pair is joined first, evidence is summed.

Greedy additive edge contraction of correlation clustering (Keuper et al., "Efficient Decomposition of Image and
Mesh Graphs by Lifted Multicuts", 2015).
"""

from __future__ import annotations

import heapq

import numpy as np

from cousins.geometry import Array


def contract_edges(count: int, pairs: Array, evidence: Array) -> Array:
    """Return the cluster of each patch, int64 [count], from pairs [m, 2] and evidence [m]; ties go to lower numbers."""
    links: list[dict[int, float]] = [{} for _ in range(count)]
    for (a, b), w in zip(pairs.tolist(), evidence.tolist(), strict=True):
        links[a][b] = links[a].get(b, 0.0) + w
        links[b][a] = links[b].get(a, 0.0) + w
    parent = list(range(count))
    queue = [(-w, a, b) for a in range(count) for b, w in links[a].items() if a < b and w > 0.0]
    heapq.heapify(queue)
    while queue:
        negative, a, b = heapq.heappop(queue)
        if parent[a] != a or parent[b] != b or links[a].get(b) != -negative:
            continue
        _contract(links, parent, a, b, queue)
    return _roots(parent)


def _contract(
    links: list[dict[int, float]], parent: list[int], a: int, b: int, queue: list[tuple[float, int, int]]
) -> None:
    keep, gone = (a, b) if len(links[a]) >= len(links[b]) else (b, a)
    parent[gone] = keep
    del links[keep][gone]
    for other, w in links[gone].items():
        if other == keep:
            continue
        total = links[keep].get(other, 0.0) + w
        links[keep][other] = total
        links[other][keep] = total
        del links[other][gone]
        if total > 0.0:
            heapq.heappush(queue, (-total, min(keep, other), max(keep, other)))
    links[gone].clear()


def _roots(parent: list[int]) -> Array:
    roots = np.array(parent, dtype=np.int64)
    while True:
        above = roots[roots]
        if np.array_equal(above, roots):
            return np.asarray(np.unique(roots, return_inverse=True)[1].ravel())
        roots = above
