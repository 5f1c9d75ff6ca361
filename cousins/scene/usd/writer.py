"""A scene as OpenUSD: `scene.usda` over one layer per asset, each brought in as a payload.

Only this module and its neighbours `usd_*.py` import pxr.
"""

from __future__ import annotations

from pathlib import Path

from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics

from cousins.scene.io.mesh_writer import write_files
from cousins.scene.io.paths import asset_folder, structures_folder, texture_file
from cousins.scene.io.rounding import number, round_length, round_quaternion
from cousins.scene.robot_formats.mjcf_writer import GRAVITY_M_S2
from cousins.scene.scenes import Placed, Scene, Structure
from cousins.scene.usd.asset import asset_bytes
from cousins.scene.usd.lights import add_look
from cousins.scene.usd.prims import (
    add_pieces,
    add_surface,
    add_visual,
    identifier,
    label,
    layer_bytes,
    new_stage,
    place,
    require_distinct,
)


def usd_files(scene: Scene) -> dict[str, bytes]:
    """Return `scene.usda` and every `assets/<name>/asset.usda`; textures are those of `mesh_files`."""
    files = {f"{asset_folder(placed.asset.name)}/asset.usda": asset_bytes(placed.asset) for placed in scene.objects}
    return files | {"scene.usda": _scene_bytes(scene)}


def write_usd(scene: Scene, folder: Path) -> None:
    """Write the USD layers of a scene into its folder."""
    write_files(usd_files(scene), folder)


def _scene_bytes(scene: Scene) -> bytes:
    require_distinct([structure.name for structure in scene.structures])
    require_distinct([placed.asset.name for placed in scene.objects])
    stage, world = new_stage("World")
    Usd.ModelAPI(world).SetKind("assembly")
    data: dict[str, str | float] = {"name": scene.name, "capture_digest": scene.capture_digest}
    data |= {"scale_source": scene.scale.source, "scale_error": float(number(scene.scale.error))}
    world.SetCustomDataByKey("cousins", data)
    physics = UsdPhysics.Scene.Define(stage, "/World/Physics")
    physics.CreateGravityDirectionAttr(Gf.Vec3f(0.0, 0.0, -1.0))
    physics.CreateGravityMagnitudeAttr(GRAVITY_M_S2)
    for group in ("Structures", "Objects"):
        Usd.ModelAPI(UsdGeom.Xform.Define(stage, f"/World/{group}").GetPrim()).SetKind("group")
    for structure in scene.structures:
        _add_structure(stage, structure)
    for placed in scene.objects:
        _add_object(stage, placed)
    if scene.look is not None:
        add_look(stage, scene.look)
    return layer_bytes(stage)


def _add_structure(stage: Usd.Stage, structure: Structure) -> None:
    path = f"/World/Structures/{identifier(structure.name)}"
    body = UsdGeom.Xform.Define(stage, path).GetPrim()
    Usd.ModelAPI(body).SetKind("component")
    label(body, (structure.kind,))
    UsdGeom.Scope.Define(stage, f"{path}/Looks")
    surface = add_surface(stage, f"{path}/Looks/surface", structure.friction, structure.restitution)
    texture = f"./{structures_folder()}/{texture_file(structure.name)}"
    add_visual(stage, path, structure.visual, looks=f"{path}/Looks/visual", texture=texture)
    add_pieces(stage, path, structure.pieces, surface)


def _add_object(stage: Usd.Stage, placed: Placed) -> None:
    prim = UsdGeom.Xform.Define(stage, f"/World/Objects/{identifier(placed.asset.name)}").GetPrim()
    prim.GetPayloads().AddPayload(Sdf.Payload(f"./{asset_folder(placed.asset.name)}/asset.usda"))
    place(prim, placed.world_from_asset)
    if placed.fixed:
        _hold(stage, prim, placed)


def _hold(stage: Usd.Stage, prim: Usd.Prim, placed: Placed) -> None:
    """Join an object to the world: a rigid body as a kinematic one, an articulation by a fixed joint of its root."""
    if not placed.asset.joints:
        UsdPhysics.RigidBodyAPI(prim).CreateKinematicEnabledAttr(True)  # noqa: FBT003
        return
    pose = placed.world_from_asset
    joint = UsdPhysics.FixedJoint.Define(stage, f"{prim.GetPath()}/held")
    joint.CreateBody1Rel().SetTargets([prim.GetPath().AppendChild(identifier(placed.asset.links[0].name))])
    joint.CreateLocalPos0Attr(Gf.Vec3f(*round_length(pose[:3, 3]).tolist()))
    joint.CreateLocalRot0Attr(Gf.Quatf(*round_quaternion(pose[:3, :3]).tolist()))
