"""Principal moments and axes of an inertia tensor, the same bits on every machine."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array

SWEEPS: Final = 12
"""Most Jacobi sweeps; a 3×3 matrix converges quadratically in four to six."""


def principal_inertia(inertia_kg_m2: Array) -> tuple[Array, Array]:
    """Return the moments [kg·m²] [3] and `link_from_principal` [3, 3] of a tensor about the centre of mass.

    Cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5). They start from the identity, so
    a nearly diagonal tensor keeps the link's axes, and use no LAPACK, whose last bits depend on the processor.
    """
    a = 0.5 * (np.asarray(inertia_kg_m2, dtype=np.float64) + np.asarray(inertia_kg_m2, dtype=np.float64).T)
    axes = np.eye(3)
    scale = float(np.abs(a).max())
    for _ in range(SWEEPS):
        off_diagonal = max(abs(a[0, 1]), abs(a[0, 2]), abs(a[1, 2]))
        if off_diagonal <= 1e-9 * scale:
            break
        for p, q in ((0, 1), (0, 2), (1, 2)):
            turn = _rotation_that_clears(a, p, q)
            a = turn.T @ a @ turn
            axes = axes @ turn
    return np.diag(a).copy(), axes


def _rotation_that_clears(a: Array, p: int, q: int) -> Array:
    turn = np.eye(3)
    if a[p, q] == 0.0:
        return turn
    tau = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    tangent = (1.0 if tau >= 0.0 else -1.0) / (abs(tau) + np.sqrt(1.0 + tau * tau))
    cosine = 1.0 / np.sqrt(1.0 + tangent * tangent)
    turn[p, p] = turn[q, q] = cosine
    turn[p, q] = tangent * cosine
    turn[q, p] = -tangent * cosine
    return turn
