"""A home for an arm whose file has none: the tip before the base, over the table, the hand pointing down."""

from __future__ import annotations

from typing import Final

import numpy as np

from cousins.geometry import Array
from sim.bodies.body import Body
from sim.bodies.kinematics import tip_chain, tip_kinematics

SAMPLES: Final = 4096
"""Positions that are tried at first."""
ROUNDS: Final = 40
"""Rounds of refinement around the best position."""
AHEAD: Final = 0.5
"""Distance of the tip before the base, over the reach of the arm."""
ABOVE: Final = 0.25
"""Height of the tip over the base, over the reach of the arm."""
DOWN_WEIGHT: Final = 1.0
"""Weight of a hand that does not point down, against distances over the reach."""
CENTRE_WEIGHT: Final = 0.05
"""Weight of joints away from the middle of their range."""


def home_pose(body: Body, lower: Array, upper: Array) -> Array:
    """Return drive positions [drives] within limits [drives] that bring the tip over the table, pointing down."""
    rng = np.random.default_rng(0)
    chain, moving = tip_chain(body), np.zeros(len(lower), dtype=np.bool_)
    moving[chain.drives] = True
    samples = np.where(moving, rng.uniform(lower, upper, (SAMPLES, len(lower))), upper)
    tips = tip_kinematics(chain, samples).base_from_tip[:, :3, 3]
    reach_m = float(np.sqrt((tips[:, :2] ** 2).sum(axis=1)).max())
    aim = np.array([AHEAD * reach_m, 0.0, ABOVE * reach_m])
    middle, half = 0.5 * (lower + upper), np.maximum(0.5 * (upper - lower), 1e-9)

    def cost(positions: Array) -> Array:
        pose = tip_kinematics(chain, positions).base_from_tip
        away = np.linalg.norm(pose[:, :3, 3] - aim, axis=1) / max(reach_m, 1e-9)
        centred = (((positions - middle) / half)[:, moving] ** 2).mean(axis=1)
        return np.asarray(away + DOWN_WEIGHT * (1.0 + pose[:, 2, 2]) + CENTRE_WEIGHT * centred)

    best = samples[int(cost(samples).argmin())]
    for number in range(ROUNDS):
        spread = half * 0.5 * 0.85**number
        near = np.clip(best + moving * rng.normal(0.0, 1.0, (256, len(lower))) * spread, lower, upper)
        tries = np.vstack([best, near])
        best = tries[int(cost(tries).argmin())]
    return best
