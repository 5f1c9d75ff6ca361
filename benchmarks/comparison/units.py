"""Drawer units of three kinds that the families do not have, as a user's library for `cousins vary --library`.

`knobs` have knobs instead of bars, `pigeonholes` have them too and an open compartment over their drawers, `columns`
have bars on drawers side by side. The two foreign ones are LIBERO's cabinets, which its authors modelled: no cousin
is trained in them. All fronts look to -y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from cousins.affordances.measure import measure_affordances
from cousins.families.assembly import Assembly, AssemblyBody, AssemblyJoint, PartMaterial
from cousins.families.carcass import FRONT_GAP_M, HANDLE_DEPTH_M, carcass, drawer
from cousins.families.family import Parameters, ParametricFamily, count, span
from cousins.families.library import LibraryAsset, save_asset
from cousins.families.parts import block
from cousins.importers.library import find_asset_files, import_asset
from cousins.reconstruct.assets import Asset
from cousins.vary.library.candidates import FAMILY_LICENCE

LIBERO: Final = Path(__file__).parents[2] / "../shared/data/articulated/libero"
"""Lifelong-Robot-Learning/LIBERO, libero/libero/assets/articulated_objects."""
EACH: Final = 3
"""Units of each kind."""
SEED: Final = 5
"""Of their measures and colours."""
KNOB_M: Final = 0.024
"""Width and height of a knob [m]."""
BOARDS: Final = 5
"""Parts of a drawer before its handle."""
COATS: Final = (
    PartMaterial(material="wood", finish="wood"),
    PartMaterial(material="wood", finish="paint"),
    PartMaterial(material="metal", finish="metal"),
)
"""Of carcass, drawers and handles."""


def write_units(folder: Path) -> None:
    """Write the library."""
    for number, kind in enumerate(kinds()):
        rng = np.random.default_rng(np.random.SeedSequence(SEED, spawn_key=(number,)))
        for index in range(EACH):
            asset = kind.build(kind.sample(rng), name=f"{kind.name}_{index}", rng=rng)
            save_asset(
                folder,
                LibraryAsset(
                    name=f"units/{asset.name}",
                    asset=asset,
                    signature=measure_affordances(asset),
                    licence=FAMILY_LICENCE,
                    origin=f"{kind.name}, made by twin_vs_cousins_units.py",
                    source_digest=f"{SEED:064d}",
                ),
            )


def foreign_units(name: str) -> list[Asset]:
    """Return LIBERO's cabinets of three drawers each, under a name."""
    require_foreign()
    return [replace(import_asset(source, licence="MIT").asset, name=name) for source in find_asset_files(LIBERO)]


def require_foreign() -> None:
    """Raise `FileNotFoundError` where LIBERO's cabinets are not at hand."""
    if not LIBERO.is_dir():
        raise FileNotFoundError(
            f"no cabinets of LIBERO in {LIBERO}: put libero/libero/assets/articulated_objects of "
            "Lifelong-Robot-Learning/LIBERO there, as of commit 8f1084e3132a"
        )


def kinds() -> tuple[ParametricFamily, ...]:
    """Return the three kinds, in sizes that suit a desk."""
    sizes = {"length_m": span(0.20, 0.30), "width_m": span(0.23, 0.28), "wall_m": span(0.01, 0.014)}
    shared = sizes | {"travel": span(0.7, 0.8)}
    extents = ("length_m", "width_m", "height_m")
    low, tall = {"height_m": span(0.17, 0.21)}, {"height_m": span(0.21, 0.27)}
    return (
        ParametricFamily(
            name="pigeonholes",
            label="drawer unit with pigeonholes",
            ranges=shared | tall | {"open": span(0.3, 0.4)},
            extents=extents,
            assemble=_pigeonholes,
        ),
        ParametricFamily(
            name="columns",
            label="drawer unit with columns",
            ranges=shared | low | {"drawers": count(2, 3)},
            extents=extents,
            assemble=_columns,
        ),
        ParametricFamily(
            name="knobs", label="drawer unit with knobs", ranges=shared | tall, extents=extents, assemble=_knobs
        ),
    )


def _pigeonholes(v: Parameters) -> Assembly:
    top = (1.0 - v["open"]) * v["height_m"]
    return _unit(v, _above(v, top - v["wall_m"] / 2), shelf_m=top, knobs=True)


def _knobs(v: Parameters) -> Assembly:
    return _unit(v, _above(v, v["height_m"]), shelf_m=0.0, knobs=True)


def _above(v: Parameters, high: float) -> list[tuple[float, float, float, float]]:
    """Return two drawers above each other, as x, x, z, z."""
    x, half = v["length_m"] / 2, high / 2
    return [(-x, x, FRONT_GAP_M, half - FRONT_GAP_M / 2), (-x, x, half + FRONT_GAP_M / 2, high)]


def _columns(v: Parameters) -> Assembly:
    edges = np.linspace(-v["length_m"] / 2, v["length_m"] / 2, round(v["drawers"]) + 1).tolist()
    fronts = [(a + FRONT_GAP_M / 2, b - FRONT_GAP_M / 2, FRONT_GAP_M, v["height_m"]) for a, b in pairwise(edges)]
    return _unit(v, fronts, shelf_m=0.0, knobs=False)


def _unit(
    v: Parameters, fronts: Sequence[tuple[float, float, float, float]], *, shelf_m: float, knobs: bool
) -> Assembly:
    """Return a carcass with a drawer behind each front; a shelf divides it at a height where that is not 0."""
    x, wall, high = v["length_m"] / 2, v["wall_m"], v["height_m"]
    front = -v["width_m"] / 2 + HANDLE_DEPTH_M
    face, back = front + wall + FRONT_GAP_M, v["width_m"] / 2
    parts = carcass((-x, x, face, back, 0.0, high), wall, shelves=[shelf_m] if shelf_m else [])
    bodies: list[AssemblyBody] = []
    slides: list[AssemblyJoint] = []
    for number, (left, right, foot, head) in enumerate(fronts):
        sides, heights = (max(left, -x + wall), min(right, x - wall)), (max(foot, wall), min(head, high - wall))
        box, slide = drawer(
            f"drawer_{number}",
            (left, right, front, front + wall, foot, head),
            (*sides, face, back - wall, *heights),
            wall_m=0.7 * wall,
            material_indices=(1, 2),
            travel=v["travel"],
        )
        if knobs:
            middle = ((left + right) / 2, front - HANDLE_DEPTH_M / 2 + 0.001, (foot + head) / 2)
            knob = block((KNOB_M, HANDLE_DEPTH_M, KNOB_M), middle, material_index=2)
            box = AssemblyBody(name=box.name, parts=[*box.parts[:BOARDS], knob])
        bodies.append(box)
        slides.append(slide)
    return Assembly(bodies=(AssemblyBody(name="body", parts=parts), *bodies), materials=COATS, joints=slides)
