"""A scene to be filmed, with its true objects and structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import numpy as np

from cousins.geometry import Array
from cousins.meshes import Mesh
from places.items import Item
from places.rooms import Structures
from sim.synthetic.phone import PhoneBody, PhoneConfig, PhoneWorld

Kind: TypeAlias = Literal["clutter", "box", "shelf", "kitchen", "apartment", "corridor", "thin", "single"]
"""Kind of scene."""
KINDS: Final[tuple[Kind, ...]] = ("clutter", "box", "shelf", "kitchen", "apartment", "corridor", "thin", "single")
"""All kinds."""
ROOM_STRUCTURE: Final = ("floor", "wall")
"""First words of the names of structures whose area is measured."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrueItem:
    """An object that a twin should hold as a thing of its own."""

    mesh: Mesh
    """Its mesh in the world frame."""
    volume_m3: float
    """Volume that its outer surface encloses [m³]."""
    hollow: bool
    """Whether it is open above."""
    thin: bool
    """Whether it may be named in place of being rebuilt."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """A scene to be filmed."""

    kind: Kind
    """Kind of scene."""
    seed: int
    """Number of the scene in its kind."""
    items: Mapping[str, TrueItem]
    """Objects by name."""
    structures: Structures
    """Floors, walls and furniture in the world frame: nothing of it has to become an object."""
    phone: PhoneConfig
    """How it is filmed; the orbit of the configuration where there is no path."""
    path: Array | None = None
    """Camera poses [frames, 4, 4]; None for an orbit about the objects."""
    notes: tuple[str, ...] = field(default=())
    """What a reader should know, such as absent files."""

    @property
    def name(self) -> str:
        """Kind and number."""
        return f"{self.kind}_{self.seed}"

    @property
    def world(self) -> PhoneWorld:
        """What the phone sees."""
        bodies = tuple(
            PhoneBody(name=name, label=name, mesh=item.mesh, world_from_body=np.eye(4))
            for name, item in self.items.items()
        )
        return PhoneWorld(bodies=bodies, structures=tuple(self.structures), name=self.name.replace("_", "-"))


def true_items(items: Sequence[Item], poses: Mapping[str, Array]) -> dict[str, TrueItem]:
    """Return those items that have a pose [4, 4], in the world frame."""
    return {
        item.name: TrueItem(
            mesh=item.mesh.transformed(poses[item.name]),
            volume_m3=item.volume_m3,
            hollow=item.hollow,
            thin=item.thin,
        )
        for item in items
        if item.name in poses
    }
