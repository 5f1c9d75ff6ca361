"""Objects that scenes are filled with: instances of our families, scanned objects, and a few made here.

Each has a mesh for the phone, convex pieces for physics, and its true volume: what its outer surface encloses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from cousins.families.assembly import Assembly, AssemblyBody, PartMaterial, build_asset
from cousins.families.family import load_family
from cousins.families.parts import SolidPart, bent_rod, block, cylinder, hull, revolve
from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.kinematics import asset_from_links
from scenes.objects import TrueObject, load_mesh, outer_volume, true_object
from sim.physics.simple_assets import hull_piece, rigid_asset

TEXTURE_PX: Final = 128
"""Side of a part's texture [px]."""
LINK_VOXELS: Final = 100
"""Voxels along the longest side of the flood fill that measures the volume of an object of several links."""
FAMILY_TRIES: Final = 12
"""Instances of a family that are tried for one that is small enough, before another family is."""
HOUSEHOLD: Final = ("box", "can", "mug", "bowl", "cup", "bottle", "ball", "book", "jar_with_lid", "plate")
"""Families that stand on tables and in boxes."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Item:
    """An object in its own frame."""

    name: str
    """Unique in its scene."""
    asset: Asset
    """The object for physics; its frame is the item's."""
    mesh: Mesh
    """The object for the phone."""
    volume_m3: float
    """Volume that its outer surface encloses [m³]."""
    hollow: bool = False
    """Whether it is open above, such as a bowl."""
    thin: bool = False
    """Whether it is one of the thin things, which may be named in place of being rebuilt."""


def family_item(
    family: str, name: str, rng: np.random.Generator, *, size_m: Sequence[float] | None = None, thin: bool = False
) -> Item:
    """Return an instance of a family, of about a size [m] where given; raises `ValueError` where it has none."""
    loaded = load_family(family)
    values = loaded.sample(rng) if size_m is None else loaded.sample_with_size(np.array(size_m), rng)
    if values is None:
        raise ValueError(f"no {family} of {size_m} m")
    asset = loaded.build(values, name=name, rng=rng, texture_px=TEXTURE_PX)
    return asset_item(name, asset, hollow=loaded.hollow, thin=thin)


def household_item(name: str, rng: np.random.Generator, *, longest_m: float = 0.26) -> Item:
    """Return an instance of a household family none of whose sides is longer than `longest_m`."""
    while True:
        family = HOUSEHOLD[int(rng.integers(len(HOUSEHOLD)))]
        loaded = load_family(family)
        for _ in range(FAMILY_TRIES):
            values = loaded.sample(rng)
            asset = loaded.build(values, name=f"{name}_{family}", rng=rng, texture_px=TEXTURE_PX)
            if asset.size_m.max() <= longest_m:
                return asset_item(asset.name, asset, hollow=loaded.hollow)


def asset_item(name: str, asset: Asset, *, hollow: bool = False, thin: bool = False) -> Item:
    """Return the item of an asset whose joints are at 0."""
    mesh = asset_mesh(asset)
    if len(asset.links) == 1:
        volume_m3 = abs(float(mesh.to_trimesh().volume))
    else:
        volume_m3 = outer_volume(mesh, voxel_m=float(asset.size_m.max()) / LINK_VOXELS)
    return Item(name=name, asset=asset, mesh=mesh, volume_m3=volume_m3, hollow=hollow, thin=thin)


def furniture_item(family: str, name: str, rng: np.random.Generator, *, size_m: Sequence[float]) -> Item:
    """Return furniture of about a size [m], whose volume nobody asks for and which counts as 0."""
    loaded = load_family(family)
    values = loaded.sample_with_size(np.array(size_m), rng)
    if values is None:
        raise ValueError(f"no {family} of {size_m} m")
    asset = loaded.build(values, name=name, rng=rng, texture_px=TEXTURE_PX)
    return Item(name=name, asset=asset, mesh=asset_mesh(asset), volume_m3=0.0)


def asset_mesh(asset: Asset) -> Mesh:
    """Return all links of an asset as one textured mesh in its frame, joints at 0."""
    poses = asset_from_links(asset)
    return joined([link.visual.transformed(poses[link.name]) for link in asset.links])


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Return textured meshes as one, their textures stacked one above the other."""
    if len(meshes) == 1:
        return meshes[0]
    width = max(_texture(mesh).shape[1] for mesh in meshes)
    tiles = [np.repeat(_texture(mesh), -(-width // _texture(mesh).shape[1]), axis=1)[:, :width] for mesh in meshes]
    heights = np.array([len(tile) for tile in tiles], dtype=np.float64)
    tops = 1.0 - np.concatenate([[0.0], np.cumsum(heights)]) / heights.sum()
    stretched = [
        np.clip(_uv(mesh), 0.0, 1.0) * [1.0, top - bottom] + [0.0, bottom]
        for mesh, top, bottom in zip(meshes, tops, tops[1:], strict=False)
    ]
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        vertices=np.concatenate([mesh.vertices for mesh in meshes]),
        faces=np.concatenate([mesh.faces + start for mesh, start in zip(meshes, starts, strict=True)]).astype(np.int32),
        uv=np.concatenate(stretched),
        texture=np.concatenate(tiles),
    )


def scanned_items(folder: Path, rng: np.random.Generator, *, count: int) -> list[Item]:
    """Return some of the scanned objects of a folder; its folders hold model.obj and texture.png."""
    names = sorted(path.parent.name for path in folder.glob("*/model.obj"))
    picked = [names[index] for index in sorted(rng.permutation(len(names))[:count])]
    return [scanned_item(true_object(name, load_mesh(folder / name))) for name in picked]


def scanned_item(scanned: TrueObject) -> Item:
    """Return a scanned object, which physics takes for its convex hull."""
    vertices = scanned.mesh.vertices
    center = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
    mesh = scanned.mesh.transformed(rigid(None, -center))
    return Item(
        name=scanned.name,
        asset=rigid_asset(scanned.name, [hull_piece(mesh.vertices)], mass_kg=0.3),
        mesh=mesh,
        volume_m3=scanned.volume_m3,
        hollow=any(word in scanned.name for word in ("Bowl", "Mug", "Plate", "Bell", "Shoe")),
    )


def open_box(name: str, size_m: Sequence[float], rng: np.random.Generator, *, wall_m: float = 0.006) -> Item:
    """Return a cardboard box without a lid, of full extents `size_m` [m]."""
    x, y, z = size_m
    parts = [
        block((x, y, wall_m), (0.0, 0.0, wall_m / 2)),
        *(block((wall_m, y, z), (side * (x - wall_m) / 2, 0.0, z / 2)) for side in (-1, 1)),
        *(block((x, wall_m, z), (0.0, side * (y - wall_m) / 2, z / 2)) for side in (-1, 1)),
    ]
    return _item_of_parts(name, parts, PartMaterial(material="carton", finish="cardboard"), rng, hollow=True)


def extinguisher(name: str, rng: np.random.Generator) -> Item:
    """Return a fire extinguisher: a cylinder of 13 to 17 cm with a domed top and a valve."""
    radius, height = float(rng.uniform(0.065, 0.085)), float(rng.uniform(0.38, 0.5))
    dome = [(radius * np.cos(a), height + radius * 0.6 * np.sin(a)) for a in np.linspace(0.0, 1.35, 7)]
    top = dome[-1][1]
    parts = [
        revolve([(radius, 0.0), *dome], convex=True),
        cylinder(0.018, top - 0.01, top + 0.05),
        block((0.12, 0.025, 0.02), (0.03, 0.0, top + 0.055)),
    ]
    return _item_of_parts(name, parts, PartMaterial(material="metal", finish="paint"), rng)


def pen(name: str, rng: np.random.Generator) -> Item:
    """Return a pen that lies along x, 7 to 11 mm thick."""
    half, radius = float(rng.uniform(0.065, 0.075)), float(rng.uniform(0.0035, 0.0055))
    path = np.array([[x, 0.0, 0.0] for x in (-half, half)])
    return _item_of_parts(
        name, [bent_rod(path, (radius, radius))], PartMaterial(material="plastic", finish="plastic"), rng, thin=True
    )


def scissors(name: str, rng: np.random.Generator) -> Item:
    """Return a pair of closed scissors that lie flat, 16 to 20 cm long and 8 to 10 mm thick."""
    length, thick = float(rng.uniform(0.16, 0.20)), float(rng.uniform(0.008, 0.010))
    blade = 0.55 * length
    parts = []
    for side in (-1.0, 1.0):
        rows = [(blade, 0.001), (0.0, 0.011), (-0.02, 0.010)]
        corners = [(x, side * y, z) for x, y in rows for z in (-thick / 4, thick / 4)]
        corners += [(x, 0.0, z) for x, _ in rows for z in (-thick / 4, thick / 4)]
        parts.append(hull(np.array(corners)))
        turn = np.linspace(0.0, 2.0 * np.pi, 17)
        center = np.array([-0.02 - 0.28 * length, side * 0.024])
        ring = np.stack([center[0] + 0.032 * np.cos(turn), center[1] + 0.02 * np.sin(turn), np.zeros(17)], axis=1)
        parts.append(bent_rod(ring, (thick / 2, 0.005), across=(0.0, 0.0, 1.0)))
        arm = np.array([[-0.015, side * 0.004, 0.0], [center[0] + 0.03, center[1] - side * 0.012, 0.0]])
        parts.append(bent_rod(arm, (thick / 2, 0.005), across=(0.0, 0.0, 1.0)))
    return _item_of_parts(name, parts, PartMaterial(material="plastic", finish="paint"), rng, thin=True)


def cable(name: str, rng: np.random.Generator) -> Item:
    """Return a cable that lies in waves, 5 to 7 mm thick and about 40 cm long."""
    radius, turns = float(rng.uniform(0.0025, 0.0035)), float(rng.uniform(0.8, 1.4))
    x = np.linspace(-0.16, 0.16, 33)
    path = np.stack([x, 0.05 * np.sin(2.0 * np.pi * turns * x / 0.32), np.zeros(33)], axis=1)
    part = bent_rod(path, (radius, radius), across=(0.0, 0.0, 1.0))
    return _item_of_parts(name, [part], PartMaterial(material="plastic", finish="dark"), rng, thin=True)


def cutlery(family: str) -> Callable[[str, np.random.Generator], Item]:
    """Return the maker of a piece of cutlery."""
    return lambda name, rng: family_item(family, name, rng, thin=True)


THIN_MAKERS: Final[Mapping[str, Callable[[str, np.random.Generator], Item]]] = {
    "spoon": cutlery("spoon"),
    "fork": cutlery("fork"),
    "knife": cutlery("knife"),
    "pen": pen,
    "scissors": scissors,
    "cable": cable,
}
"""Makers of thin things by name."""


def renamed(item: Item, name: str) -> Item:
    """Return the item with another name."""
    return replace(item, name=name, asset=replace(item.asset, name=name))


def _item_of_parts(
    name: str,
    parts: Sequence[SolidPart],
    material: PartMaterial,
    rng: np.random.Generator,
    *,
    hollow: bool = False,
    thin: bool = False,
) -> Item:
    assembly = Assembly(bodies=(AssemblyBody(name="body", parts=parts),), materials=(material,))
    asset = build_asset(assembly, name=name, label=name, rng=rng, texture_px=TEXTURE_PX)
    return asset_item(name, asset, hollow=hollow, thin=thin)


def _texture(mesh: Mesh) -> Array:
    assert mesh.texture is not None, "families have textures"
    return mesh.texture


def _uv(mesh: Mesh) -> Array:
    assert mesh.uv is not None, "families have textures"
    return mesh.uv
