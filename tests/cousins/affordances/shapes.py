"""Small assets with known affordances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from cousins.geometry import rigid
from cousins.reconstruct.assets import Asset, Joint, Piece
from sim.physics.simple_assets import articulated_asset, box_piece, hull_piece, make_link, rigid_asset

CUP_RADIUS_M = 0.035
CUP_WALL_M = 0.004
CUP_HEIGHT_M = 0.095
CUP_BOTTOM_M = 0.005


def wall(radius_m: float, height_m: float, *, count: int = 16) -> list[Piece]:
    """Return a round wall with a bottom about the origin."""
    turns = 2.0 * np.pi * np.arange(count + 1) / count
    half = height_m / 2.0
    pieces = []
    for first, second in pairwise(turns):
        corners = [
            (radius * np.cos(turn), radius * np.sin(turn), z)
            for turn in (first, second)
            for radius in (radius_m - CUP_WALL_M, radius_m)
            for z in (-half, half)
        ]
        pieces.append(hull_piece(np.array(corners)))
    bottom = [(radius_m * np.cos(t), radius_m * np.sin(t), z) for t in turns[:-1] for z in (-half, CUP_BOTTOM_M - half)]
    return [*pieces, hull_piece(np.array(bottom))]


def cup() -> Asset:
    return rigid_asset("cup", wall(CUP_RADIUS_M, CUP_HEIGHT_M))


def box(x: float, y: float, z: float) -> Asset:
    return rigid_asset("box", [box_piece([x, y, z])])


def table() -> Asset:
    legs = [box_piece([0.05, 0.05, 0.45], center_m=(x, y, -0.025)) for x in (-0.27, 0.27) for y in (-0.17, 0.17)]
    return rigid_asset("table", [box_piece([0.6, 0.4, 0.04], center_m=(0.0, 0.0, 0.22)), *legs])


def cabinet(*, handle: bool = True, upper: float = 1.6) -> Asset:
    """Return an open box of 0.4 × 0.3 × 0.5 m whose door hangs on the left; its handle is on the right."""
    thick, width, depth, height = 0.02, 0.4, 0.3, 0.5
    sides = [
        box_piece([thick, depth, height], center_m=(x, 0.0, 0.0))
        for x in (thick / 2 - width / 2, width / 2 - thick / 2)
    ]
    ends = [
        box_piece([width, depth, thick], center_m=(0.0, 0.0, z))
        for z in (thick / 2 - height / 2, height / 2 - thick / 2)
    ]
    back = box_piece([width, thick, height], center_m=(0.0, depth / 2 - thick / 2, 0.0))
    door = [box_piece([width, thick, height], center_m=(width / 2, -thick / 2, 0.0))]
    if handle:
        door += [box_piece([0.012, 0.012, 0.12], center_m=(width - 0.03, -thick - 0.035, 0.0))]
        door += [box_piece([0.012, 0.035, 0.012], center_m=(width - 0.03, -thick - 0.0175, z)) for z in (-0.05, 0.05)]
    hinge = Joint(
        name="hinge",
        kind="revolute",
        parent="body",
        child="door",
        parent_from_child=rigid(None, np.array([-width / 2, -depth / 2, 0.0])),
        axis=np.array([0.0, 0.0, -1.0]),
        lower=0.0,
        upper=upper,
    )
    links = [make_link("body", [*sides, *ends, back], mass_kg=5.0), make_link("door", door, mass_kg=1.0)]
    return articulated_asset("cabinet", links, joints=[hinge])
