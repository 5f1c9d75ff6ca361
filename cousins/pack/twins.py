"""The twin as a cousin: number 0, at distance 0 on every axis."""

from __future__ import annotations

from cousins.errors import PackError
from cousins.geometry import quat_wxyz_from_rotation
from cousins.scene.looks import Look
from cousins.scene.scenes import PlacedAsset
from cousins.vary.cousins import AXES, Cousin, GoalSpec, Library, ObjectInstance, StructureChange

NO_TASK = GoalSpec(
    target="", goal_m=(0.0, 0.0, 0.0), goal_radius_m=0.0, robot_base_m=(0.0, 0.0, 0.0), robot_yaw_rad=0.0
)
"""Task of a twin for which none was given."""


def twin_cousin(library: Library, *, look: Look | None = None, task: GoalSpec = NO_TASK) -> Cousin:
    """Return the twin as a cousin; each object's variant is the library entry of its name."""
    scene = library.scene
    return Cousin(
        index=0,
        split="twin",
        objects=tuple(_object_instance(placed, library) for placed in scene.objects),
        structures=tuple(
            StructureChange(
                name=structure.name, friction=structure.friction.value, restitution=structure.restitution.value
            )
            for structure in scene.structures
        ),
        relations=scene.relations,
        look=look or scene.look or Look(),
        task=task,
        distances=dict.fromkeys(AXES, 0.0),
    )


def _object_instance(placed: PlacedAsset, library: Library) -> ObjectInstance:
    asset = placed.asset
    if asset.name not in library.variants:
        raise PackError(
            f"no variant named {asset.name!r}",
            expected="each object of the twin in the library under its name",
            hint="Add the twin's own objects to the library.",
        )
    w, x, y, z = quat_wxyz_from_rotation(placed.world_from_asset[:3, :3]).tolist()
    px, py, pz = placed.world_from_asset[:3, 3].tolist()
    return ObjectInstance(
        name=asset.name,
        variant=asset.name,
        position_m=(px, py, pz),
        quat_wxyz=(w, x, y, z),
        fixed=placed.fixed,
        mass_kg=tuple(link.mass_kg.value for link in asset.links),
        com_shift_m=(0.0, 0.0, 0.0),
        friction=asset.friction.value,
        restitution=asset.restitution.value,
    )
