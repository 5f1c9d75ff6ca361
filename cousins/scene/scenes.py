"""A scene: fixed structure, assets that stand on it, and the relations between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cousins.capture.captures import Scale
from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Piece
from cousins.scene.looks import Look


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Structure:
    """A fixed body in world coordinates: a floor, a table top, a wall."""

    name: str
    """Unique in the scene, path-safe."""
    kind: Literal["floor", "table", "wall"]
    """What it serves as."""
    visual: Mesh
    """Looks, in the world frame."""
    pieces: tuple[Piece, ...]
    """Convex collision pieces in the world frame."""
    friction: Quantity
    """Coulomb friction coefficient."""
    restitution: Quantity
    """Coefficient of restitution."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placed:
    """An asset at its place."""

    asset: Asset
    """What stands there; its name is unique in the scene."""
    world_from_asset: Array
    """Pose, float64 [4, 4]."""
    fixed: bool = False
    """True for what cannot stand by itself and is joined to the world: it collides, but nothing moves it."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relation between two bodies of a scene, by name."""

    kind: Literal["on", "inside", "against", "next to"]
    """`subject` kind `object`."""
    subject: str
    """Name of the body that stands in the relation."""
    object: str
    """Name of the body that it relates to."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scene:
    """What a capture shows, ready for physics."""

    name: str
    """Short, path-safe."""
    structures: tuple[Structure, ...]
    """Fixed bodies."""
    objects: tuple[Placed, ...]
    """Objects, each carrier before what it carries; movable where they are not fixed."""
    relations: tuple[Relation, ...]
    """Relations that hold."""
    scale: Scale
    """Where metres come from."""
    capture_digest: str = ""
    """Digest of the capture that it was made from, empty for none."""
    warnings: tuple[str, ...] = ()
    """What a user should know, a sentence each."""
    fallbacks: tuple[str, ...] = ()
    """What had to be replaced by something weaker, a sentence each."""
    look: Look | None = None
    """How it is lit and seen; None for a scan, whose photos hold its light."""
