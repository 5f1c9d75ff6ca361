"""Scenes of several metres: a corridor that closes a loop, and apartments from RoomPlan files, furnished."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from scipy import ndimage

from cousins.geometry import Array, rigid, rotation_about
from cousins.importers.rooms import read_room
from cousins.meshes import Mesh
from cousins.scene.layout.room_scene import room_scene
from places import rooms
from places.furnished import UP, against_wall, standing
from places.items import Item, asset_item, extinguisher, family_item, furniture_item, household_item
from places.place import Place, true_items
from places.settling import dropped
from places.walks import along, around
from scenes.objects import sample
from sim.synthetic.phone import PhoneConfig

OUTER_M: Final = (7.0, 6.0)
"""Length and breadth of the corridor's outer walls [m]."""
WIDTH_M: Final = 1.5
"""Width of the corridor [m]."""
THICK_M: Final = 0.1
"""Thickness of a wall [m]."""
CORRIDOR_FRAMES: Final = 96
"""Frames of a walk around the corridor, which ends where it began."""
APARTMENT_FRAMES: Final = 80
"""Frames of a walk through an apartment."""
EYE_M: Final = 1.45
"""Height of the phone [m]."""
ROOMPLAN: Final = "captures/roomplan_phone2proc"
"""Folder of RoomPlan files in the folder of input files."""
SEPARATE: Final = ("chair", "television")
"""Categories of RoomPlan that are things of their own; all others are furniture that need not become an object."""
CELL_M: Final = 0.05
"""Cell of the map of free floor [m]."""


def corridor(seed: int, rng: np.random.Generator, _: Path) -> Place:
    """Return a corridor around a block, with bins, extinguishers (one hangs), boxes and a cabinet along its walls."""
    x, y = 0.5 * OUTER_M[0], 0.5 * OUTER_M[1]
    inner_x, inner_y = x - WIDTH_M, y - WIDTH_M
    structures: rooms.Structures = [
        rooms.floor((-x, -y), (x, y), rng),
        *rooms.walls(
            [
                ((-x - THICK_M, -y - THICK_M), (x + THICK_M, -y)),
                ((-x - THICK_M, y), (x + THICK_M, y + THICK_M)),
                ((-x - THICK_M, -y), (-x, y)),
                ((x, -y), (x + THICK_M, y)),
                ((-inner_x, -inner_y), (inner_x, inner_y)),
            ],
            rng,
        ),
    ]
    cabinet = furniture_item("cabinet", "cabinet", rng, size_m=(0.8, 0.4, 1.2))
    furniture = [(cabinet, _along_wall(cabinet, (float(rng.uniform(-2.0, 2.0)), y), 0.0))]
    objects = [
        *(family_item("bin_with_lid", f"bin_{k}", rng, size_m=(0.3, 0.33, 0.45)) for k in range(3)),
        *(extinguisher(f"extinguisher_{k}", rng) for k in range(2)),
        *(family_item("box", f"box_{k}", rng, size_m=(0.4, 0.3, 0.3)) for k in range(2)),
    ]
    spots = [
        ((-2.6, y), 0.0), ((x, -1.2), -np.pi / 2), ((1.4, -y), np.pi), ((-x, 1.1), np.pi / 2),
        ((x, 1.3), -np.pi / 2), ((-1.2, -y), np.pi), ((-x, -1.4), np.pi / 2),
    ]  # fmt: skip
    order = rng.permutation(len(spots))
    placed = {item.name: _along_wall(item, *spots[k]) for item, k in zip(objects, order, strict=True)}
    placed["extinguisher_1"][2, 3] += 0.9
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1], [0.2, -1]], dtype=np.float64)
    eyes = np.column_stack([corners * (np.array([x, y]) - 0.5 * WIDTH_M), np.full(len(corners), EYE_M)])
    path = along(eyes, CORRIDOR_FRAMES, ahead_m=2.0, glance_deg=38.0, drop_m=1.0, rng=rng)
    return Place(
        kind="corridor",
        seed=seed,
        items=true_items(objects, placed),
        structures=[*structures, *((item.name, item.mesh.transformed(pose)) for item, pose in furniture)],
        phone=PhoneConfig(frames=CORRIDOR_FRAMES, color_every=4, shadows=False, drift_m=0.05, drift_deg=0.8),
        path=path,
    )


def apartment(seed: int, rng: np.random.Generator, data: Path) -> Place:
    """Return the rooms of a RoomPlan file with its furniture and things on it; rooms made here where there is none."""
    files = sorted((data / ROOMPLAN).glob("*.usdz"))
    if not files:
        return _made_rooms(seed, rng)
    room = read_room(files[seed % len(files)])
    scene = room_scene(room, "apartment", digest="")
    level = -min(
        float(structure.visual.vertices[:, 2].max()) for structure in scene.structures if structure.kind == "floor"
    )
    lift = rigid(None, np.array([0.0, 0.0, level]))
    structures: rooms.Structures = [
        (f"{structure.kind}_{number}", _tinted(structure.visual.transformed(lift), structure.kind, rng))
        for number, structure in enumerate(scene.structures)
    ]
    furniture, items = [], []
    for placed in scene.objects:
        item = asset_item(placed.asset.name, placed.asset)
        category = placed.asset.label.split()[0]
        (items if category in SEPARATE else furniture).append((item, lift @ placed.world_from_asset))
    return _furnished(seed, structures, furniture, items, rng, notes=(files[seed % len(files)].name,))


def _furnished(
    seed: int,
    structures: rooms.Structures,
    furniture: list[tuple[Item, Array]],
    items: list[tuple[Item, Array]],
    rng: np.random.Generator,
    *,
    notes: tuple[str, ...],
) -> Place:
    """Return rooms with things on their tables and a camera path through the free floor."""
    tops = [(item, pose) for item, pose in furniture if item.name.startswith(("table", "storage"))]
    drops: list[tuple[Item, Array]] = []
    for number, (top, pose) in enumerate(tops[:4]):
        high = float((top.mesh.vertices @ pose[2, :3]).max() + pose[2, 3])
        for side in (-0.22, 0.22):
            item = household_item(f"item_{len(drops)}_{number}", rng, longest_m=0.24)
            spot = pose[:2, 3] + pose[:2, 0] * side * float(top.asset.size_m[0])
            drops.append((item, standing(item, (float(spot[0]), float(spot[1])), float(rng.uniform(0.0, 6.28)), high)))
    poses = dropped(drops, structures, furniture=[*furniture, *items], lowest_m=0.2)
    poses |= {item.name: pose for item, pose in items}
    solid = [item.mesh.transformed(pose) for item, pose in [*furniture, *items]]
    return Place(
        kind="apartment",
        seed=seed,
        items=true_items([item for item, _ in [*drops, *items]], poses),
        structures=[
            *structures,
            *(
                (f"furniture_{item.name}", _tinted(item.mesh.transformed(pose), "furniture", rng))
                for item, pose in furniture
            ),
        ],
        phone=PhoneConfig(frames=APARTMENT_FRAMES, color_every=4, shadows=False, drift_m=0.03, drift_deg=0.6),
        path=_walk(structures, solid, rng),
        notes=notes,
    )


def _made_rooms(seed: int, rng: np.random.Generator) -> Place:
    """Return two rooms with an opening between them, a table and a shelf in each."""
    structures: rooms.Structures = [
        rooms.floor((-3.5, -2.0), (3.5, 2.0), rng),
        *rooms.walls(
            [
                ((-3.6, 2.0), (3.6, 2.1)), ((-3.6, -2.1), (3.6, -2.0)), ((-3.6, -2.0), (-3.5, 2.0)),
                ((3.5, -2.0), (3.6, 2.0)), ((-0.05, -2.0), (0.05, 0.2)), ((-0.05, 1.2), (0.05, 2.0)),
            ],
            rng,
        ),
    ]  # fmt: skip
    furniture = []
    for number, x in enumerate((-1.9, 1.8)):
        table = furniture_item("table", f"table_{number}", rng, size_m=(1.2, 0.7, 0.74))
        furniture.append((table, against_wall(table, x) @ rigid(None, np.array([0.0, 1.9, 0.0]))))
    return _furnished(seed, structures, furniture, [], rng, notes=("no RoomPlan files: rooms made by program",))


def _walk(structures: rooms.Structures, solid: list[Mesh], rng: np.random.Generator) -> Array:
    """Return poses [frames, 4, 4] around the two widest places of the free floor, looking outwards."""
    floors = np.concatenate([mesh.vertices for name, mesh in structures if name.startswith("floor")])[:, :2]
    low = floors.min(axis=0) - CELL_M
    shape = np.ceil((floors.max(axis=0) - low) / CELL_M).astype(int) + 1
    blocked = np.zeros(tuple(shape), dtype=bool)
    blocked[[0, -1]] = blocked[:, [0, -1]] = True
    for mesh in [*solid, *(mesh for name, mesh in structures if name.startswith("wall"))]:
        points = _dense(mesh)
        points = points[(points[:, 2] > 0.2) & (points[:, 2] < 1.6)]
        cells = np.rint((points[:, :2] - low) / CELL_M).astype(int)
        inside = ((cells >= 0) & (cells < shape)).all(axis=1)
        blocked[tuple(cells[inside].T)] = True
    clearance = ndimage.distance_transform_edt(~blocked) * CELL_M
    path = []
    for frames in (APARTMENT_FRAMES // 2, APARTMENT_FRAMES - APARTMENT_FRAMES // 2):
        cell = np.unravel_index(int(np.argmax(clearance)), clearance.shape)
        center = low + np.array(cell) * CELL_M
        radius = float(np.clip(clearance[cell] - 0.35, 0.1, 0.8))
        radii, drop = (radius, radius), (0.2, 1.1)
        path.append(around((*center, EYE_M), radii, frames, drop_m=drop, turns=1.15, rng=rng))
        rows, columns = np.indices(clearance.shape)
        clearance[np.hypot(rows - cell[0], columns - cell[1]) * CELL_M < 1.6] = 0.0
    return np.concatenate(path)


def _dense(mesh: Mesh) -> Array:
    """Return points on a mesh about 4 cm apart, [n, 3]."""
    return sample(mesh, int(1500 * max(mesh.to_trimesh().area, 0.1)), rng=np.random.default_rng(0))


def _along_wall(item: Item, spot: tuple[float, float], yaw_rad: float) -> Array:
    """Return the pose [4, 4] of an item that stands with its back, turned by a yaw, 2 cm before a wall at a spot."""
    back, foot = float(item.mesh.vertices[:, 1].max()), float(item.mesh.vertices[:, 2].min())
    turn = rotation_about(UP, yaw_rad)
    away = turn @ np.array([0.0, -(back + 0.02), 0.0])
    return rigid(turn, np.array([spot[0] + away[0], spot[1] + away[1], -foot]))


def _tinted(mesh: Mesh, kind: str, rng: np.random.Generator) -> Mesh:
    base = {"floor": 150, "wall": 205}.get(kind, 130)
    level = [int(np.clip(base + rng.integers(-25, 26), 0, 255)) for _ in range(3)]
    return rooms.colored(mesh, (level[0], level[1], level[2]), rng)
