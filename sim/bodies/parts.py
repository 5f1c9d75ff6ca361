"""Links that bodies are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from cousins.geometry import Array, rigid
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link

FRICTION: Final = Quantity(value=0.8, low=0.6, high=1.0, source="material table")
"""Of rubbered tips against wood."""
RESTITUTION: Final = Quantity(value=0.0, low=0.0, high=0.1, source="default")
"""Tips do not bounce."""
GYRATION_RADIUS_M: Final = 0.05
"""Radius of gyration of a link that touches nothing [m]."""


def shapeless_link(name: str, *, mass_kg: float) -> Link:
    """Return a link that neither touches nor shows anything: a carriage on a rail out of the way."""
    nothing = Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3), dtype=np.int32))
    return Link(
        name=name,
        visual=nothing,
        pieces=(),
        mass_kg=Quantity(value=mass_kg, low=mass_kg, high=mass_kg, source="default"),
        center_of_mass_m=np.zeros(3),
        inertia_kg_m2=np.eye(3) * mass_kg * GYRATION_RADIUS_M**2,
    )


def prismatic_joint(
    name: str,
    parent: str,
    child: str,
    axis: Sequence[float],
    *,
    span_m: tuple[float, float],
    origin_m: Array | None = None,
) -> Joint:
    """Return a prismatic joint along a unit axis [3]; `origin_m` is the child's place in the parent [3]."""
    return Joint(
        name=name,
        kind="prismatic",
        parent=parent,
        child=child,
        parent_from_child=rigid(translation=np.zeros(3) if origin_m is None else origin_m),
        axis=np.asarray(axis, dtype=np.float64),
        lower=span_m[0],
        upper=span_m[1],
    )


def body_asset(name: str, links: Sequence[Link], joints: Sequence[Joint]) -> Asset:
    """Return the asset of a body; its frame is the base, not the middle of its box."""
    shapes = [link.visual.to_trimesh() for link in links if len(link.visual.faces)]
    return Asset(
        name=name,
        label=name,
        links=tuple(links),
        joints=tuple(joints),
        friction=FRICTION,
        restitution=RESTITUTION,
        material="rubber",
        size_m=np.max([mesh.extents for mesh in shapes], axis=0),
        observed_area_m2=float(sum(mesh.area for mesh in shapes)),
        completed_area_m2=0.0,
    )
