"""Scenes on a table: clutter, an open box full of things, thin things, and ten things in a single view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cousins.geometry import Array, look_at, rigid, rotation_about
from places import rooms
from places.items import THIN_MAKERS, Item, family_item, household_item, open_box, renamed, scanned_items
from places.place import Kind, Place, true_items
from places.settling import dropped
from sim.synthetic.phone import PhoneConfig

TOP_M: Final = 0.74
"""Height of the table top [m]."""
TABLE_M: Final = (1.3, 0.9)
"""Length and depth of the table [m]."""
FRAMES: Final = 40
"""Depth frames of a walk around a table."""
GSO: Final = "objects/gso"
"""Folder of the scanned objects in the folder of input files."""
LIFT_M: Final = 0.003
"""Height of the fall of an item that is set down [m]."""
UP: Final = np.array([0.0, 0.0, 1.0])


def clutter(seed: int, rng: np.random.Generator, data: Path) -> Place:
    """Return ten objects that touch, lean on each other and stand on each other, four of them scanned ones."""
    scanned = scanned_items(data / GSO, rng, count=4)
    standing = [*scanned, *(household_item(f"item_{k}", rng, longest_m=0.22) for k in range(2))]
    base = family_item("box", "base_box", rng, size_m=(0.22, 0.15, 0.12))
    book = family_item("book", "base_book", rng, size_m=(0.24, 0.17, 0.035))
    stacked = [renamed(household_item(f"top_{k}", rng, longest_m=0.13), f"top_{k}") for k in range(2)]
    leaning = family_item("book", "leaning_book", rng, size_m=(0.20, 0.14, 0.02))
    drops = packed([base, book, *standing], rng, reach_m=0.30, reserved_m=0.09)
    for item, below in zip(stacked, (0, 1), strict=True):
        drops.append((item, above(drops[below], item)))
    drops.append((leaning, leaned(drops[0], leaning, rng)))
    return _on_table("clutter", seed, drops, rng)


def box(seed: int, rng: np.random.Generator, _: Path) -> Place:
    """Return an open cardboard box on a desk, with eight things in it and two beside it."""
    size = (float(rng.uniform(0.34, 0.42)), float(rng.uniform(0.26, 0.32)), float(rng.uniform(0.12, 0.18)))
    container = open_box("open_box", size, rng)
    base = _standing(container, (0.0, 0.0), 0.0)
    drops = [(container, base)]
    for number in range(8):
        item = household_item(f"item_{number}", rng, longest_m=0.2)
        spot = rng.uniform(-0.5, 0.5, size=2) * (np.array(size[:2]) - 0.14)
        turn = rotation_about(UP, float(rng.uniform(0.0, 6.28))) @ rotation_about(
            np.array([1.0, 0.0, 0.0]), float(rng.choice([0.0, 0.0, np.pi / 2.0]))
        )
        drops.append((item, rigid(turn, np.array([*spot, TOP_M + 0.45]))))
    for side, number in ((-1.0, 8), (1.0, 9)):
        item = household_item(f"item_{number}", rng, longest_m=0.2)
        drops.append((item, _standing(item, (side * (0.5 * size[0] + 0.16), 0.0), float(rng.uniform(0.0, 6.28)))))
    phone = PhoneConfig(frames=FRAMES, radius_m=(0.55, 0.9), elevation_deg=(30.0, 72.0))
    return _on_table("box", seed, drops, rng, phone=phone)


def thin(seed: int, rng: np.random.Generator, _: Path) -> Place:
    """Return spoon, fork, knife, pen, scissors and cable on a table, with a box, a mug and a book among them."""
    drops: list[tuple[Item, Array]] = []
    for number, (name, make) in enumerate(THIN_MAKERS.items()):
        item = make(name, rng)
        spot = (-0.26 + 0.26 * (number % 3), -0.12 + 0.22 * (number // 3))
        drops.append((item, _standing(item, spot, float(rng.uniform(-0.7, 0.7)))))
    for family, size, spot in (
        ("box", (0.14, 0.09, 0.08), (-0.42, 0.0)),
        ("mug", (0.12, 0.085, 0.1), (0.43, 0.1)),
        ("book", (0.2, 0.15, 0.025), (0.42, -0.2)),
    ):
        item = family_item(family, family, rng, size_m=size)
        drops.append((item, _standing(item, spot, float(rng.uniform(-0.5, 0.5)))))
    phone = PhoneConfig(frames=FRAMES, radius_m=(0.45, 0.8), elevation_deg=(25.0, 65.0))
    return _on_table("thin", seed, drops, rng, phone=phone)


def single(seed: int, rng: np.random.Generator, data: Path) -> Place:
    """Return ten things on a table, seen once from a standing person's eyes."""
    scanned = scanned_items(data / GSO, rng, count=3)
    items = [*scanned, *(household_item(f"item_{k}", rng, longest_m=0.24) for k in range(7))]
    place = _on_table("single", seed, packed(items, rng, reach_m=0.36, gap_m=0.02), rng)
    azimuth = float(rng.uniform(0.0, 6.28))
    eye = np.array([0.85 * np.cos(azimuth), 0.85 * np.sin(azimuth), TOP_M + float(rng.uniform(0.55, 0.75))])
    pose = look_at(eye, np.array([0.0, 0.0, TOP_M + 0.04]))
    return _refilmed(place, PhoneConfig(frames=1, color_every=1), pose[None])


def packed(
    items: Sequence[Item], rng: np.random.Generator, *, reach_m: float, gap_m: float = 0.0015, reserved_m: float = 0.0
) -> list[tuple[Item, Array]]:
    """Return items with poses close together about the middle of the table, each from its own direction.

    A strip of `reserved_m` beside the first item, towards its +y, stays free.
    """
    placed: list[tuple[Item, Array]] = []
    footprints: list[Array] = []
    for item in items:
        turn = float(rng.uniform(0.0, 2.0 * np.pi))
        heading = float(rng.uniform(0.0, 2.0 * np.pi))
        pose = _standing(item, (0.0, 0.0), turn)
        points = (item.mesh.vertices @ pose[:3, :3].T)[:, :2]
        if not placed and reserved_m:
            points = np.concatenate([points, points + reserved_m * pose[:2, 1]])
        grid = np.unique(np.rint(points / 0.003).astype(int), axis=0) * 0.003
        shift = np.zeros(2)
        step = 0.003 * np.array([np.cos(heading), np.sin(heading)])
        while footprints and _collides(grid + shift, footprints, gap_m) and np.linalg.norm(shift) < reach_m + 0.2:
            shift = shift + step
        footprints.append(grid + shift)
        placed.append((item, _standing(item, (float(shift[0]), float(shift[1])), turn)))
    return placed


def above(below: tuple[Item, Array], item: Item) -> Array:
    """Return the pose [4, 4] of an item that is set down on the middle of another."""
    item_below, pose = below
    top = float((item_below.mesh.vertices @ pose[2, :3]).max() + pose[2, 3])
    return _standing(item, (float(pose[0, 3]), float(pose[1, 3])), 0.4, top_m=top)


def leaned(against: tuple[Item, Array], item: Item, rng: np.random.Generator) -> Array:
    """Return the pose [4, 4] of a flat item that stands on its long edge and leans on the nearest side of another."""
    support, pose = against
    half = 0.5 * item.asset.size_m
    tilt = float(rng.uniform(np.deg2rad(12.0), np.deg2rad(20.0)))
    out = 0.5 * float(support.asset.size_m[1]) + half[2] + half[1] * np.sin(tilt) * 2.0 + 0.002
    lift = half[1] * np.cos(tilt) + half[2] * np.sin(tilt) + LIFT_M
    local = rigid(
        rotation_about(np.array([1.0, 0.0, 0.0]), -(np.pi / 2.0 - tilt)),
        np.array([0.0, out - half[1] * np.sin(tilt), 0.0]),
    )
    moved = pose @ local
    moved[2, 3] = TOP_M + lift
    return np.asarray(moved)


def _standing(item: Item, spot: tuple[float, float], yaw_rad: float, *, top_m: float = TOP_M) -> Array:
    """Return the pose [4, 4] of an upright item just above a support at `top_m` [m]."""
    foot = float(item.mesh.vertices[:, 2].min())
    return rigid(rotation_about(UP, yaw_rad), np.array([*spot, top_m + LIFT_M - foot]))


def _collides(points: Array, footprints: Sequence[Array], gap_m: float) -> bool:
    """Return whether the convex outlines of points [n, 2] and of a footprint are closer than a gap along every axis."""
    turns = np.linspace(0.0, np.pi, 24, endpoint=False)
    axes = np.stack([np.cos(turns), np.sin(turns)])
    along = points @ axes
    for footprint in footprints:
        other = footprint @ axes
        apart = np.maximum(along.min(axis=0) - other.max(axis=0), other.min(axis=0) - along.max(axis=0))
        if float(apart.max()) < gap_m:
            return True
    return False


def _on_table(
    kind: Kind,
    seed: int,
    drops: Sequence[tuple[Item, Array]],
    rng: np.random.Generator,
    *,
    phone: PhoneConfig | None = None,
) -> Place:
    structures = [*rooms.table(TABLE_M, TOP_M, rng), rooms.floor((-2.5, -2.5), (2.5, 2.5), rng)]
    poses = dropped(drops, structures, lowest_m=TOP_M - 0.02)
    return Place(
        kind=kind,
        seed=seed,
        items=true_items([item for item, _ in drops], poses),
        structures=structures,
        phone=phone or PhoneConfig(frames=FRAMES, radius_m=(0.55, 0.95)),
    )


def _refilmed(place: Place, phone: PhoneConfig, path: Array) -> Place:
    return Place(
        kind=place.kind, seed=place.seed, items=place.items, structures=place.structures, phone=phone, path=path
    )
