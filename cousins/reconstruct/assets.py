"""Interactive assets: links with visual mesh, collision pieces and mass, and the joints between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.quantities import Quantity


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Piece:
    """One convex collision piece."""

    kind: Literal["mesh", "box", "cylinder", "sphere"]
    """Primitive, or `mesh` for a convex hull."""
    mesh: Mesh
    """The piece as a convex mesh in the link's frame, also for a primitive."""
    link_from_piece: Array
    """Pose of a primitive's centre; identity for a mesh. Cylinders stand along z. float64 [4, 4]."""
    size_m: Array
    """Full extents of a primitive along its own axes [m], float64 [3]; of the mesh's box otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Link:
    """One rigid part of an asset."""

    name: str
    """Unique in the asset, path-safe."""
    visual: Mesh
    """Visual mesh in the link's frame; watertight."""
    pieces: tuple[Piece, ...]
    """Convex collision pieces in the link's frame; at least one."""
    mass_kg: Quantity
    """Mass with interval and source."""
    center_of_mass_m: Array
    """In the link's frame [m], float64 [3]."""
    inertia_kg_m2: Array
    """About the centre of mass, in the link's axes, for `mass_kg.value`; float64 [3, 3]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Joint:
    """A joint between two links of an asset."""

    name: str
    """Unique in the asset, path-safe."""
    kind: Literal["fixed", "revolute", "prismatic"]
    """Type of motion."""
    parent: str
    """Name of the parent link."""
    child: str
    """Name of the child link."""
    parent_from_child: Array
    """Pose of the child's frame in the parent's at joint position 0, float64 [4, 4]."""
    axis: Array
    """Unit axis in the child's frame through its origin, float64 [3]."""
    lower: float = 0.0
    """Lower limit [rad] or [m]."""
    upper: float = 0.0
    """Upper limit [rad] or [m]."""
    damping: float = 0.0
    """Viscous damping [N·m·s/rad] or [N·s/m]."""
    friction: float = 0.0
    """Dry friction [N·m] or [N]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Asset:
    """An interactive object in its own frame: z up, origin at the centre of its bounding box."""

    name: str
    """Unique in a scene, path-safe."""
    label: str
    """Display name."""
    label_source: str = "geometry"
    """Source of the label: `geometry`, `yolox`, `clip`, `RoomPlan` or `user`."""
    label_score: float | None = None
    """Confidence of the label, 0 to 1; None where the source gives none."""
    links: tuple[Link, ...]
    """Parts; the first is the root, whose frame is the asset's."""
    joints: tuple[Joint, ...] = ()
    """A tree over the links; empty for a rigid object."""
    friction: Quantity
    """Coulomb friction coefficient."""
    restitution: Quantity
    """Coefficient of restitution."""
    material: str
    """Key of the material table, such as `ceramic` or `unknown`."""
    size_m: Array
    """Extents along the asset's own axes [m], float64 [3]."""
    observed_area_m2: float
    """Surface area that some view observed [m²]."""
    completed_area_m2: float
    """Surface area that was completed [m²]."""
    completions: tuple[str, ...] = ()
    """How unseen surface was completed, in order: `support contact`, `mirror`, `revolution`, ..."""
    fallbacks: tuple[str, ...] = ()
    """Fallbacks that were used, one sentence each."""

    @property
    def observed_fraction(self) -> float:
        """Fraction of the surface that some view observed, 0 to 1."""
        total = self.observed_area_m2 + self.completed_area_m2
        return self.observed_area_m2 / total if total > 0.0 else 0.0
