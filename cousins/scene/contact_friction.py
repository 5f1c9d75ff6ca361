"""How surfaces meet, the same in every format and engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from cousins.scene.scenes import Structure

SPINNING_M: Final = 0.005
"""Torsional friction: radius of a contact patch, MuJoCo's default [m]."""
ROLLING_M: Final = 1e-4
"""Rolling friction: a can on wood rolls with 0.3 % of its weight at 3 cm radius; without it nothing round rests [m]."""


def pair_friction(friction: float, structures: Sequence[Structure]) -> float:
    """Return the friction of something against the fixed structure of a scene: the geometric mean of both sides.

    That is the pair value in engines that multiply square roots. Structures of different friction count by their
    geometric mean; without any, the value stays.
    """
    if not structures:
        return friction
    logs = [math.log(max(structure.friction.value, 1e-6)) for structure in structures]
    return math.sqrt(friction * math.exp(sum(logs) / len(logs)))
