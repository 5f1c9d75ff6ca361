"""A scene as OpenUSD: `scene.usda` over one layer per asset, each brought in as a payload.

Only modules of this package import pxr.
"""

from __future__ import annotations

from typing import Final

from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics

from cousins.rounding import format_number, round_length, round_quaternion
from cousins.scene.io.paths import asset_folder, structures_folder, texture_file
from cousins.scene.scenes import GRAVITY_M_S2, PlacedAsset, Scene, Structure, hanging_supports
from cousins.scene.usd.asset import asset_bytes
from cousins.scene.usd.lights import add_look
from cousins.scene.usd.prims import (
    add_colliders,
    add_physics_material,
    add_visual,
    layer_bytes,
    new_stage,
    require_distinct_identifiers,
    set_labels,
    set_pose,
    usd_identifier,
)

HANGS_ON: Final = "cousins:hangsOn"
"""Relationship from an object to the structure that it hangs on."""


def usd_files(scene: Scene) -> dict[str, bytes]:
    """Return `scene.usda` and every `assets/<name>/asset.usda`; textures are those of `mesh_files`."""
    files = {f"{asset_folder(placed.asset.name)}/asset.usda": asset_bytes(placed.asset) for placed in scene.objects}
    return files | {"scene.usda": _scene_bytes(scene)}


def _scene_bytes(scene: Scene) -> bytes:
    require_distinct_identifiers([structure.name for structure in scene.structures])
    require_distinct_identifiers([placed.asset.name for placed in scene.objects])
    stage, world = new_stage("World")
    Usd.ModelAPI(world).SetKind("assembly")
    data: dict[str, str | float] = {"name": scene.name, "capture_digest": scene.capture_digest}
    data |= {"scale_source": scene.scale.source, "scale_error": float(format_number(scene.scale.error))}
    world.SetCustomDataByKey("cousins", data)
    physics = UsdPhysics.Scene.Define(stage, "/World/Physics")
    physics.CreateGravityDirectionAttr(Gf.Vec3f(0.0, 0.0, -1.0))
    physics.CreateGravityMagnitudeAttr(GRAVITY_M_S2)
    for group in ("Structures", "Objects"):
        Usd.ModelAPI(UsdGeom.Xform.Define(stage, f"/World/{group}").GetPrim()).SetKind("group")
    for structure in scene.structures:
        _add_structure(stage, structure)
    supports = hanging_supports(scene)
    for placed in scene.objects:
        _add_object(stage, placed, supports.get(placed.asset.name))
    if scene.look is not None:
        add_look(stage, scene.look)
    return layer_bytes(stage)


def _structure_path(name: str) -> Sdf.Path:
    return Sdf.Path(f"/World/Structures/{usd_identifier(name)}")


def _add_structure(stage: Usd.Stage, structure: Structure) -> None:
    path = str(_structure_path(structure.name))
    body = UsdGeom.Xform.Define(stage, path).GetPrim()
    Usd.ModelAPI(body).SetKind("component")
    set_labels(body, (structure.kind,))
    UsdGeom.Scope.Define(stage, f"{path}/Looks")
    surface = add_physics_material(stage, f"{path}/Looks/surface", structure.friction, structure.restitution)
    texture = f"./{structures_folder()}/{texture_file(structure.name)}"
    add_visual(stage, path, structure.visual, material_path=f"{path}/Looks/visual", texture=texture)
    add_colliders(stage, path, structure.pieces, surface)


def _add_object(stage: Usd.Stage, placed: PlacedAsset, support: str | None) -> None:
    """Add an object; `support` names the wall or ceiling that it hangs on."""
    prim = UsdGeom.Xform.Define(stage, f"/World/Objects/{usd_identifier(placed.asset.name)}").GetPrim()
    prim.GetPayloads().AddPayload(Sdf.Payload(f"./{asset_folder(placed.asset.name)}/asset.usda"))
    set_pose(prim, placed.world_from_asset)
    if placed.fixed:
        _fix_to_world(stage, prim, placed, support)
    if support is not None:
        prim.CreateRelationship(HANGS_ON, custom=True).SetTargets([_structure_path(support)])


def _fix_to_world(stage: Usd.Stage, prim: Usd.Prim, placed: PlacedAsset, support: str | None) -> None:
    """Join an object to the world, or to the structure that it hangs on.

    A rigid body becomes a kinematic one, an articulation gets a fixed joint of its root.
    """
    if not placed.asset.joints:
        UsdPhysics.RigidBodyAPI(prim).CreateKinematicEnabledAttr(True)  # noqa: FBT003
        return
    pose = placed.world_from_asset
    joint = UsdPhysics.FixedJoint.Define(stage, f"{prim.GetPath()}/held")
    if support is not None:
        joint.CreateBody0Rel().SetTargets([_structure_path(support)])
    joint.CreateBody1Rel().SetTargets([prim.GetPath().AppendChild(usd_identifier(placed.asset.links[0].name))])
    joint.CreateLocalPos0Attr(Gf.Vec3f(*round_length(pose[:3, 3]).tolist()))
    joint.CreateLocalRot0Attr(Gf.Quatf(*round_quaternion(pose[:3, :3]).tolist()))
