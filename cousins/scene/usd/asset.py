"""One asset as its own USD layer: a rigid body, or an articulation of rigid bodies and joints."""

from __future__ import annotations

import math

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade

from cousins.geometry import Array
from cousins.reconstruct.assets import Asset, Joint, Link
from cousins.scene.io.paths import texture_file
from cousins.scene.io.rounding import number, round_length, round_quaternion
from cousins.scene.kinematics import asset_from_links, joints_in_order
from cousins.scene.usd.prims import (
    add_mass,
    add_pieces,
    add_surface,
    add_visual,
    identifier,
    label,
    layer_bytes,
    new_stage,
    place,
    quantity_data,
    require_distinct,
)


def asset_bytes(asset: Asset) -> bytes:
    """Return an asset's layer as .usda text; textures lie at their paths relative to the asset's folder.

    The default prim is the rigid body itself, or for an articulation an Xform over its links, of which
    the root link carries the articulation root, as UsdPhysics asks of a floating base.
    """
    stage, root = new_stage(asset.name)
    top = str(root.GetPath())
    Usd.ModelAPI(root).SetKind("component")
    label(root, (asset.label, asset.material))
    root.SetCustomDataByKey("cousins", _asset_data(asset))
    require_distinct([*(link.name for link in asset.links), "Looks", "Joints"])
    UsdGeom.Scope.Define(stage, f"{top}/Looks")
    surface = add_surface(stage, f"{top}/Looks/surface", asset.friction, asset.restitution)
    if not asset.joints:
        _fill_body(stage, root, asset.links[0], surface, top)
        return layer_bytes(stage)
    for name, pose in asset_from_links(asset).items():
        link = next(link for link in asset.links if link.name == name)
        body = UsdGeom.Xform.Define(stage, f"{top}/{identifier(name)}").GetPrim()
        place(body, pose)
        _fill_body(stage, body, link, surface, top)
    UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath(f"{top}/{identifier(asset.links[0].name)}"))
    _filter_own_parts(stage, asset, top)
    UsdGeom.Scope.Define(stage, f"{top}/Joints")
    for joint in joints_in_order(asset):
        _add_joint(stage, joint, top)
    return layer_bytes(stage)


def _asset_data(asset: Asset) -> dict[str, object]:
    return {
        "name": asset.name,
        "label_source": asset.label_source,
        **({} if asset.label_score is None else {"label_score": float(number(asset.label_score))}),
        "material": asset.material,
        "observed_area_m2": float(number(asset.observed_area_m2)),
        "completed_area_m2": float(number(asset.completed_area_m2)),
        "completions": ", ".join(asset.completions),
        "fallbacks": "; ".join(asset.fallbacks),
    }


def _fill_body(stage: Usd.Stage, body: Usd.Prim, link: Link, surface: UsdShade.Material, top: str) -> None:
    UsdPhysics.RigidBodyAPI.Apply(body)
    add_mass(body, link)
    body.SetCustomDataByKey("cousins:mass_kg", quantity_data(link.mass_kg))
    path = str(body.GetPath())
    looks = f"{top}/Looks/{identifier(link.name)}_visual"
    add_visual(stage, path, link.visual, looks=looks, texture=f"./{texture_file(link.name)}")
    add_pieces(stage, path, link.pieces, surface)


def _filter_own_parts(stage: Usd.Stage, asset: Asset, top: str) -> None:
    """Let the parts of one asset pass through each other, as both engines are told to."""
    paths = [f"{top}/{identifier(link.name)}" for link in asset.links]
    for index, path in enumerate(paths[:-1]):
        pairs = UsdPhysics.FilteredPairsAPI.Apply(stage.GetPrimAtPath(path)).CreateFilteredPairsRel()
        pairs.SetTargets([Sdf.Path(other) for other in paths[index + 1 :]])


def _add_joint(stage: Usd.Stage, joint: Joint, top: str) -> None:
    path = f"{top}/Joints/{identifier(joint.name)}"
    kinds = {
        "fixed": UsdPhysics.FixedJoint,
        "revolute": UsdPhysics.RevoluteJoint,
        "prismatic": UsdPhysics.PrismaticJoint,
    }
    prim = kinds[joint.kind].Define(stage, path)
    child_from_joint = np.eye(3) if joint.kind == "fixed" else _x_along(joint.axis)
    parent_from_joint = joint.parent_from_child[:3, :3] @ child_from_joint
    prim.CreateBody0Rel().SetTargets([Sdf.Path(f"{top}/{identifier(joint.parent)}")])
    prim.CreateBody1Rel().SetTargets([Sdf.Path(f"{top}/{identifier(joint.child)}")])
    prim.CreateLocalPos0Attr(Gf.Vec3f(*round_length(joint.parent_from_child[:3, 3]).tolist()))
    prim.CreateLocalRot0Attr(Gf.Quatf(*round_quaternion(parent_from_joint).tolist()))
    prim.CreateLocalPos1Attr(Gf.Vec3f(0.0, 0.0, 0.0))
    prim.CreateLocalRot1Attr(Gf.Quatf(*round_quaternion(child_from_joint).tolist()))
    if joint.kind == "fixed":
        return
    turns = joint.kind == "revolute"
    unit = 180.0 / math.pi if turns else 1.0
    prim.CreateAxisAttr(UsdPhysics.Tokens.x)
    prim.CreateLowerLimitAttr(float(number(joint.lower * unit)))
    prim.CreateUpperLimitAttr(float(number(joint.upper * unit)))
    drive = UsdPhysics.DriveAPI.Apply(prim.GetPrim(), "angular" if turns else "linear")
    drive.CreateTypeAttr(UsdPhysics.Tokens.force)
    drive.CreateStiffnessAttr(0.0)
    drive.CreateDampingAttr(float(number(joint.damping / unit)))
    drive.CreateTargetVelocityAttr(0.0)
    prim.GetPrim().SetCustomDataByKey("cousins", {"friction": float(number(joint.friction))})


def _x_along(axis: Array) -> Array:
    """Return the 3×3 rotation that turns x into a unit axis, the identity where it is x already."""
    x = np.asarray(axis, dtype=np.float64) / np.linalg.norm(axis)
    helper = np.eye(3)[(int(np.argmax(np.abs(x))) + 1) % 3]
    y = helper - (helper @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)
