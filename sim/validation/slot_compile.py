"""Compilation of the slot model: first a donor body for every variant, then slots in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import mujoco
import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, rigid
from cousins.reconstruct.assets import Asset
from cousins.reconstruct.inertia import principal_inertia
from cousins.rounding import round_quaternion
from cousins.scene.robot_formats.mjcf_writer import mjcf_in_memory
from cousins.scene.scenes import PlacedAsset, Scene
from cousins.vary.cousins import Variant

GEOM_FIELDS: Final = (
    "geom_type",
    "geom_dataid",
    "geom_size",
    "geom_pos",
    "geom_quat",
    "geom_rbound",
    "geom_aabb",
)
"""MuJoCo's model fields that place a geom in its body."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VariantGeoms:
    """Geoms and inertia of a variant, as they are copied into a slot."""

    geoms: Mapping[str, Array]
    """Values of `GEOM_FIELDS` for the geoms of its collision pieces, rows first."""
    center_m: Array
    """Centre of mass in the link's frame [m], [3]."""
    moments: Array
    """Principal moments of inertia per mass [m²], [3]."""
    axes: Array
    """Quaternion wxyz of the principal axes [4]."""


def compile_donors(scene: Scene, variants: Mapping[str, Variant]) -> tuple[Any, Any]:
    """Return MuJoCo's spec and model of a scene's structures and fixed objects with one body per variant.

    Raises `EngineError` where MuJoCo rejects the model.
    """
    donors = [
        PlacedAsset(asset=replace(variant.asset, name=_donor_name(key)), world_from_asset=rigid(), fixed=True)
        for key, variant in variants.items()
    ]
    objects = (*(placed for placed in scene.objects if placed.fixed), *donors)
    text, files = mjcf_in_memory(replace(scene, objects=objects, relations=(), look=None), visuals=False)
    try:
        spec = mujoco.MjSpec.from_string(text, assets=files)
        return spec, spec.compile()
    except ValueError as error:
        raise EngineError(f"the library was refused: {error}", engine="mujoco") from error


def compile_slots(spec: Any, variants: Mapping[str, Variant], geom_counts: Mapping[str, int]) -> Any:
    """Return the model in which slots, by name with their number of geoms, replace the donor bodies."""
    pattern = spec.body(_donor_name(next(iter(variants)))).geoms[0]
    for name, count in geom_counts.items():
        body = spec.worldbody.add_body(name=slot_name(name))
        body.add_freejoint()
        body.mass, body.inertia, body.explicitinertial, body.simple = 1.0, [1e-3] * 3, True, 0
        for _ in range(count):
            body.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[0.01] * 3,
                mass=0.0,
                contype=0,
                conaffinity=0,
                condim=pattern.condim,
                friction=pattern.friction,
                solref=pattern.solref,
                solimp=pattern.solimp,
                margin=0.0,
                gap=0.0,
            )
    for key in variants:
        spec.delete(spec.body(_donor_name(key)))
    return spec.compile()


def variant_geoms(donor: Any, key: str, asset: Asset) -> VariantGeoms:
    """Return the geoms of a variant in the donor model."""
    link = asset.links[0]
    rows = np.flatnonzero(donor.geom_bodyid == donor.body(_donor_name(key)).id)
    moments, axes = principal_inertia(link.inertia_kg_m2)
    return VariantGeoms(
        geoms={field: getattr(donor, field)[rows].copy() for field in GEOM_FIELDS},
        center_m=link.center_of_mass_m,
        moments=moments / link.mass_kg.value,
        axes=round_quaternion(axes),
    )


def slot_name(name: str) -> str:
    """Return the name of the body that is an object's slot."""
    return f"slot__{name}"


def _donor_name(key: str) -> str:
    return "donor__" + key.replace("-", "_")
