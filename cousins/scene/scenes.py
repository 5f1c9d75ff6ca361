"""A scene: fixed structures, placed assets, and the relations between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cousins.capture.captures import Scale
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Piece
from cousins.reconstruct.kinematics import asset_from_links
from cousins.scene.looks import Look

GRAVITY_M_S2: Final = 9.81
"""Gravity along -z in every written scene [m/s²]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Structure:
    """A fixed body in world coordinates: a floor, a table top, a wall."""

    name: str
    """Unique in the scene, path-safe."""
    kind: Literal["floor", "table", "wall", "ceiling", "remainder"]
    """Type of structure; `remainder` is surface that was seen and that no plane or object explains."""
    visual: Mesh
    """Visual mesh in the world frame."""
    pieces: tuple[Piece, ...]
    """Convex collision pieces in the world frame."""
    friction: Quantity
    """Coulomb friction coefficient."""
    restitution: Quantity
    """Coefficient of restitution."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PlacedAsset:
    """An asset with its pose in the scene."""

    asset: Asset
    """The asset; its name is unique in the scene."""
    world_from_asset: Array
    """Pose, float64 [4, 4]."""
    fixed: bool = False
    """True for an object that is fixed to the world: it collides but never moves."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relation between two bodies of a scene, by name."""

    kind: Literal["on", "inside", "against", "next to", "hangs on"]
    """Relation, read as `subject` kind `object`; what hangs on a wall or a ceiling is fixed there."""
    subject: str
    """Name of the body that stands in the relation."""
    object: str
    """Name of the body that it relates to."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """A scene ready for physics simulation."""

    name: str
    """Short, path-safe."""
    structures: tuple[Structure, ...]
    """Fixed bodies."""
    objects: tuple[PlacedAsset, ...]
    """Objects, each support before what it supports; movable where they are not fixed."""
    relations: tuple[Relation, ...]
    """Relations that hold."""
    scale: Scale
    """Source and error of the metric scale."""
    capture_digest: str = ""
    """Digest of the capture that it was made from, empty for none."""
    warnings: tuple[str, ...] = ()
    """What a user should know, a sentence each."""
    fallbacks: tuple[str, ...] = ()
    """Fallbacks that were taken, a sentence each."""
    look: Look | None = None
    """Lighting and camera; None for a scan, whose textures contain its lighting."""

    def save(self, folder: Path | str) -> str:
        """Write the scene folder (USD, URDF, MJCF, `scene.json`) and return its digest; raises `SceneError`."""
        from cousins.scene.scene_folder import write_scene  # imported here: a `Scene` alone needs no USD

        return write_scene(self, Path(folder))

    @staticmethod
    def load(folder: Path | str) -> Scene:
        """Return the scene of a scene folder; raises `SceneError` where it is none."""
        from cousins.scene.scene_folder import read_scene  # imported here: a `Scene` alone needs no USD

        return read_scene(Path(folder))


def hanging_supports(scene: Scene) -> dict[str, str]:
    """Return the wall or ceiling that each hanging object is fixed to, by name of the object, in the scene's order."""
    supports = {relation.subject: relation.object for relation in scene.relations if relation.kind == "hangs on"}
    names = (placed.asset.name for placed in scene.objects if placed.fixed)
    return {name: supports[name] for name in names if name in supports}


def visual_meshes(scene: Scene) -> list[Mesh]:
    """Return all visual meshes in the world frame: structures, then the links of objects with their joints at 0."""
    meshes = [structure.visual for structure in scene.structures]
    for placed in scene.objects:
        poses = asset_from_links(placed.asset)
        meshes += [link.visual.transformed(placed.world_from_asset @ poses[link.name]) for link in placed.asset.links]
    return meshes
