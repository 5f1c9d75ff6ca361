"""Scenes with furniture: a shelf with several boards, and a kitchen with counter, drawers and wall units."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from cousins.families.family import load_family
from cousins.geometry import Array, rigid, rotation_about
from places import rooms
from places.items import TEXTURE_PX, Item, asset_item, family_item, furniture_item, household_item
from places.place import Place, true_items
from places.settling import dropped
from places.walks import arc
from scenes.kitchen import JOINED, OBJECTS
from sim.synthetic.phone import PhoneConfig

FRAMES: Final = 48
"""Depth frames before furniture."""
UP: Final = np.array([0.0, 0.0, 1.0])
LIFT_M: Final = 0.003
"""Height of the fall of an item that is set down [m]."""
WALL_M: Final = 0.1
"""Thickness of a wall [m]."""


def shelf(seed: int, rng: np.random.Generator, _: Path) -> Place:
    """Return a shelf of three to five compartments before a wall, with two to four things in each of three."""
    size = (float(rng.uniform(0.8, 1.0)), float(rng.uniform(0.30, 0.36)), float(rng.uniform(1.1, 1.5)))
    family = load_family("shelf")
    boards = int(rng.integers(2, 4))
    values = {"length_m": size[0], "width_m": size[1], "height_m": size[2], "wall_m": 0.02, "boards": float(boards)}
    body = asset_item("shelf", family.build(values, name="shelf", rng=rng, texture_px=TEXTURE_PX))
    pose = rigid(None, np.array([0.0, 0.0, 0.5 * size[2]]))
    drops: list[tuple[Item, Array]] = []
    heights = np.linspace(0.0, size[2], boards + 2)[:-1]
    heights[0] += 0.01
    for level, height in enumerate(heights):
        x = -0.5 * size[0] + 0.06
        while x < 0.5 * size[0] - 0.12 and len(drops) < 12:
            item = household_item(f"item_{len(drops)}_l{level}", rng, longest_m=0.2)
            half = 0.5 * float(np.linalg.norm(item.asset.size_m[:2]))
            x += half
            if x + half > 0.5 * size[0] - 0.03:
                break
            spot = (x, float(rng.uniform(-0.02, 0.02)))
            drops.append((item, standing(item, spot, float(rng.uniform(0.0, 6.28)), float(height) + 0.011)))
            x += half + float(rng.uniform(0.0, 0.03))
    structures: rooms.Structures = [
        rooms.floor((-1.8, -2.2), (1.8, 0.5 * size[1]), rng),
        *rooms.walls([((-1.8, 0.5 * size[1] + 0.01), (1.8, 0.5 * size[1] + 0.01 + WALL_M))], rng),
    ]
    poses = dropped(drops, structures, furniture=[(body, pose)])
    path = arc(
        (0.0, 0.0, 0.5 * size[2]),
        FRAMES,
        azimuth_deg=(-145.0, -35.0),
        elevation_deg=(-5.0, 35.0),
        radius_m=(0.9, 1.4),
        sweeps=3.0,
        rng=rng,
    )
    return Place(
        kind="shelf",
        seed=seed,
        items=true_items([item for item, _ in drops], poses),
        structures=[*structures, ("board", body.mesh.transformed(pose))],
        phone=PhoneConfig(frames=FRAMES),
        path=path,
    )


def kitchen(seed: int, rng: np.random.Generator, _: Path) -> Place:
    """Return a corner of a kitchen: counter with drawers, fridge, wall units, and dishes on the worktop."""
    counter = furniture_item("counter", "counter", rng, size_m=(1.75, 0.62, 0.9))
    fridge = furniture_item("fridge", "fridge", rng, size_m=(0.6, 0.65, 1.6))
    depth, height = counter.asset.size_m[1:]
    furniture = [(counter, against_wall(counter, 0.0)), (fridge, against_wall(fridge, 1.25))]
    for number, x in enumerate((-0.45, 0.4)):
        unit = furniture_item("cabinet", f"unit_{number}", rng, size_m=(0.8, 0.4, 0.7))
        furniture.append((unit, against_wall(unit, x, low_m=1.4)))
    drops: list[tuple[Item, Array]] = []
    x = -0.5 * float(counter.asset.size_m[0]) + 0.05
    for name, _, size_m in OBJECTS:
        if name == "drawer_unit":
            continue
        item = family_item(name, name, rng, size_m=size_m)
        half = 0.5 * float(np.linalg.norm(item.asset.size_m[:2]) if name not in JOINED else item.asset.size_m[0])
        yaw = 0.0 if name in JOINED else float(rng.uniform(0.0, 6.28))
        y = -0.5 * float(depth) + (0.05 if name in JOINED else float(rng.uniform(-0.1, 0.1)))
        x += half
        drops.append((item, standing(item, (x, y), yaw, float(height))))
        x += half + 0.005
    structures: rooms.Structures = [
        rooms.floor((-1.6, -2.6), (1.65, 0.0), rng),
        *rooms.walls([((-1.6, 0.0), (1.65, WALL_M)), ((1.65, -2.6), (1.65 + WALL_M, WALL_M))], rng),
    ]
    poses = dropped(drops, structures, furniture=furniture, lowest_m=0.5)
    path = arc(
        (0.1, -0.4, 0.95),
        FRAMES,
        azimuth_deg=(-150.0, -50.0),
        elevation_deg=(5.0, 38.0),
        radius_m=(1.0, 1.8),
        sweeps=3.0,
        rng=rng,
    )
    return Place(
        kind="kitchen",
        seed=seed,
        items=true_items([item for item, _ in drops], poses),
        structures=[*structures, *((item.name, item.mesh.transformed(pose)) for item, pose in furniture)],
        phone=PhoneConfig(frames=FRAMES, radius_m=(1.0, 1.8)),
        path=path,
    )


def against_wall(item: Item, x: float, *, low_m: float = 0.0) -> Array:
    """Return the pose [4, 4] of furniture whose back is at y = 0 and whose underside is at a height [m]."""
    back, foot = float(item.mesh.vertices[:, 1].max()), float(item.mesh.vertices[:, 2].min())
    return rigid(None, np.array([x, -back - 0.002, low_m - foot]))


def standing(item: Item, spot: tuple[float, float], yaw_rad: float, top_m: float) -> Array:
    """Return the pose [4, 4] of an upright item just above a support at `top_m` [m]."""
    foot = float(item.mesh.vertices[:, 2].min())
    return rigid(rotation_about(UP, yaw_rad), np.array([*spot, top_m + LIFT_M - foot]))
