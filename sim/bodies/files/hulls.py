"""Convex pieces of robots' meshes, with few enough corners for physics."""

from __future__ import annotations

from typing import Final

import numpy as np
import trimesh

from cousins.geometry import Array
from cousins.reconstruct.assets import Piece
from sim.physics.simple_assets import hull_piece

DIRECTIONS: Final = trimesh.creation.icosphere(subdivisions=2).vertices
"""A hull keeps its farthest corners along these, 162 of them: within a millimetre of a hand-sized one [n, 3]."""
PAINT: Final = (225, 226, 230)
"""Colour of a robot's surface, 8-bit RGB."""


def reduced_hull(vertices: Array) -> Piece:
    """Return the convex hull of vertices [n, 3] in the link's frame [m], of at most 162 corners."""
    return hull_piece(vertices[np.unique((vertices @ DIRECTIONS.T).argmax(axis=0))])
