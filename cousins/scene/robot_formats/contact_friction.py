"""Friction of a contact pair, equal in every format and engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from cousins.scene.scenes import Structure

SPINNING_FRICTION_M: Final = 0.005
"""Torsional friction: radius of a contact patch, MuJoCo's default [m]."""
ROLLING_FRICTION_M: Final = 1e-4
"""Rolling friction: a can on wood rolls with 0.3 % of its weight at 3 cm radius; without it nothing round rests [m]."""


def pair_friction(friction: float, structures: Sequence[Structure]) -> float:
    """Return the friction of an object against the fixed structures of a scene: the geometric mean of both.

    Structures of different friction count by their geometric mean; without structures the value is returned as is.
    """
    if not structures:
        return friction
    logs = [math.log(max(structure.friction.value, 1e-6)) for structure in structures]
    return math.sqrt(friction * math.exp(sum(logs) / len(logs)))
