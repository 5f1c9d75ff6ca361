"""One asset as its own USD layer: a rigid body, or an articulation of rigid bodies and joints."""

from __future__ import annotations

import math

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade

from cousins.geometry import Array
from cousins.reconstruct.assets import Asset, Joint, Link
from cousins.reconstruct.kinematics import asset_from_links, joints_in_order
from cousins.rounding import format_number, round_length, round_quaternion
from cousins.scene.io.paths import texture_file
from cousins.scene.usd.prims import (
    add_colliders,
    add_mass_properties,
    add_physics_material,
    add_visual,
    layer_bytes,
    new_stage,
    quantity_data,
    require_distinct_identifiers,
    set_labels,
    set_pose,
    usd_identifier,
)


def asset_bytes(asset: Asset) -> bytes:
    """Return an asset's layer as .usda text; textures lie at their paths relative to the asset's folder.

    The default prim is the rigid body itself, or for an articulation an Xform over its links, of which
    the root link carries the articulation root, as UsdPhysics asks of a floating base.
    """
    stage, root = new_stage(asset.name)
    root_path = str(root.GetPath())
    Usd.ModelAPI(root).SetKind("component")
    set_labels(root, (asset.label, asset.material))
    root.SetCustomDataByKey("cousins", _asset_data(asset))
    require_distinct_identifiers([*(link.name for link in asset.links), "Looks", "Joints"])
    UsdGeom.Scope.Define(stage, f"{root_path}/Looks")
    material = add_physics_material(stage, f"{root_path}/Looks/surface", asset.friction, asset.restitution)
    if not asset.joints:
        _fill_body(stage, root, asset.links[0], material, root_path)
        return layer_bytes(stage)
    for name, pose in asset_from_links(asset).items():
        link = next(link for link in asset.links if link.name == name)
        body = UsdGeom.Xform.Define(stage, f"{root_path}/{usd_identifier(name)}").GetPrim()
        set_pose(body, pose)
        _fill_body(stage, body, link, material, root_path)
    UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath(f"{root_path}/{usd_identifier(asset.links[0].name)}"))
    _disable_self_collisions(stage, asset, root_path)
    UsdGeom.Scope.Define(stage, f"{root_path}/Joints")
    for joint in joints_in_order(asset):
        _add_joint(stage, joint, root_path)
    return layer_bytes(stage)


def _asset_data(asset: Asset) -> dict[str, object]:
    return {
        "name": asset.name,
        "label_source": asset.label_source,
        **({} if asset.label_score is None else {"label_score": float(format_number(asset.label_score))}),
        "material": asset.material,
        "observed_area_m2": float(format_number(asset.observed_area_m2)),
        "completed_area_m2": float(format_number(asset.completed_area_m2)),
        "completions": ", ".join(asset.completions),
        "fallbacks": "; ".join(asset.fallbacks),
    }


def _fill_body(stage: Usd.Stage, body: Usd.Prim, link: Link, material: UsdShade.Material, root_path: str) -> None:
    UsdPhysics.RigidBodyAPI.Apply(body)
    add_mass_properties(body, link)
    body.SetCustomDataByKey("cousins:mass_kg", quantity_data(link.mass_kg))
    path = str(body.GetPath())
    looks = f"{root_path}/Looks/{usd_identifier(link.name)}_visual"
    add_visual(stage, path, link.visual, material_path=looks, texture=f"./{texture_file(link.name)}")
    add_colliders(stage, path, link.pieces, material)


def _disable_self_collisions(stage: Usd.Stage, asset: Asset, root_path: str) -> None:
    """Disable collisions between the links of one asset, as in the URDF and the MJCF."""
    paths = [f"{root_path}/{usd_identifier(link.name)}" for link in asset.links]
    for index, path in enumerate(paths[:-1]):
        pairs = UsdPhysics.FilteredPairsAPI.Apply(stage.GetPrimAtPath(path)).CreateFilteredPairsRel()
        pairs.SetTargets([Sdf.Path(other) for other in paths[index + 1 :]])


def _add_joint(stage: Usd.Stage, joint: Joint, root_path: str) -> None:
    path = f"{root_path}/Joints/{usd_identifier(joint.name)}"
    kinds = {
        "fixed": UsdPhysics.FixedJoint,
        "revolute": UsdPhysics.RevoluteJoint,
        "prismatic": UsdPhysics.PrismaticJoint,
    }
    prim = kinds[joint.kind].Define(stage, path)
    child_from_joint = np.eye(3) if joint.kind == "fixed" else _rotation_x_onto(joint.axis)
    parent_from_joint = joint.parent_from_child[:3, :3] @ child_from_joint
    prim.CreateBody0Rel().SetTargets([Sdf.Path(f"{root_path}/{usd_identifier(joint.parent)}")])
    prim.CreateBody1Rel().SetTargets([Sdf.Path(f"{root_path}/{usd_identifier(joint.child)}")])
    prim.CreateLocalPos0Attr(Gf.Vec3f(*round_length(joint.parent_from_child[:3, 3]).tolist()))
    prim.CreateLocalRot0Attr(Gf.Quatf(*round_quaternion(parent_from_joint).tolist()))
    prim.CreateLocalPos1Attr(Gf.Vec3f(0.0, 0.0, 0.0))
    prim.CreateLocalRot1Attr(Gf.Quatf(*round_quaternion(child_from_joint).tolist()))
    if joint.kind == "fixed":
        return
    is_revolute = joint.kind == "revolute"
    unit = 180.0 / math.pi if is_revolute else 1.0
    prim.CreateAxisAttr(UsdPhysics.Tokens.x)
    prim.CreateLowerLimitAttr(float(format_number(joint.lower * unit)))
    prim.CreateUpperLimitAttr(float(format_number(joint.upper * unit)))
    drive = UsdPhysics.DriveAPI.Apply(prim.GetPrim(), "angular" if is_revolute else "linear")
    drive.CreateTypeAttr(UsdPhysics.Tokens.force)
    drive.CreateStiffnessAttr(0.0)
    drive.CreateDampingAttr(float(format_number(joint.damping / unit)))
    drive.CreateTargetVelocityAttr(0.0)
    prim.GetPrim().SetCustomDataByKey("cousins", {"friction": float(format_number(joint.friction))})


def _rotation_x_onto(axis: Array) -> Array:
    """Return the 3×3 rotation that turns x into a unit axis, the identity where it is x already."""
    x = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    helper = np.eye(3)[(int(np.argmax(np.abs(x))) + 1) % 3]
    y = helper - (helper @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)
