"""The model of a superset: a donor body for every variant first, then slots in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import mujoco
import numpy as np

from cousins.errors import EngineError
from cousins.geometry import Array, rigid
from cousins.reconstruct.assets import Asset
from cousins.scene.inertia import principal_inertia
from cousins.scene.io.rounding import round_quaternion
from cousins.scene.robot_formats.mjcf_writer import mjcf_in_memory
from cousins.scene.scenes import Placed, Scene
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
"""What tells MuJoCo how a geom lies in its body."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Laid:
    """A variant as its slot takes it over."""

    geoms: Mapping[str, Array]
    """Fields of its pieces' geoms."""
    center_m: Array
    """Centre of mass in the link's frame [3]."""
    moments: Array
    """Principal moments for one kilogram [3]."""
    axes: Array
    """Quaternion of the principal axes [4]."""


def donors_of(scene: Scene, movable: Mapping[str, Variant]) -> tuple[Any, Any]:
    """Return a scene's structure and fixed objects, and every variant as a body of its own: MuJoCo's spec and model.

    Raises `EngineError` where MuJoCo refuses them.
    """
    donors = [
        Placed(asset=replace(one.asset, name=_donor(key)), world_from_asset=rigid(), fixed=True)
        for key, one in movable.items()
    ]
    objects = (*(one for one in scene.objects if one.fixed), *donors)
    text, files = mjcf_in_memory(replace(scene, objects=objects, relations=(), look=None), visuals=False)
    try:
        spec = mujoco.MjSpec.from_string(text, assets=files)
        return spec, spec.compile()
    except ValueError as error:
        raise EngineError(f"the library was refused: {error}", engine="mujoco") from error


def with_slots(spec: Any, movable: Mapping[str, Variant], most: Mapping[str, int]) -> Any:
    """Return the model in which slots have taken the donors' place."""
    pattern = spec.body(_donor(next(iter(movable)))).geoms[0]
    for name, count in most.items():
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
    for key in movable:
        spec.delete(spec.body(_donor(key)))
    return spec.compile()


def laid(donor: Any, key: str, asset: Asset) -> Laid:
    """Return how a variant lies in the model of the donors."""
    link = asset.links[0]
    rows = np.flatnonzero(donor.geom_bodyid == donor.body(_donor(key)).id)
    moments, axes = principal_inertia(link.inertia_kg_m2)
    return Laid(
        geoms={field: getattr(donor, field)[rows].copy() for field in GEOM_FIELDS},
        center_m=link.center_of_mass_m,
        moments=moments / link.mass_kg.value,
        axes=round_quaternion(axes),
    )


def slot_name(name: str) -> str:
    """Return the body of an object's slot."""
    return f"slot__{name}"


def _donor(key: str) -> str:
    return "donor__" + key.replace("-", "_")
