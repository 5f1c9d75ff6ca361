"""Compile a scene to URDF: one file per asset, one for the fixed structure and one for the whole scene.

Lengths in metres, angles in radians, mesh paths relative to the file that names them. Inertia is written in
its principal axes, because engines differ in how they treat products of inertia. Objects hang on `floating` joints
in `scene.urdf` (on `fixed` ones where `PlacedAsset.fixed`, whose parent is the wall or ceiling that they hang on, or
else the world), which PyBullet does not know: load `assets/<name>/asset.urdf` there, with
`URDF_USE_INERTIA_FROM_FILE`, and `useFixedBase` for fixed ones.

`<contact>` is PyBullet's element; other parsers pass over it. PyBullet multiplies the coefficients of the two
sides, so the square root of friction and restitution is written: a pair has the geometric mean, the value that the
MJCF gives against structure too. PyBullet grows every hull of a URDF by a collision margin of 1 mm, which no element
turns off and `changeDynamics` does not reach: bodies stand 1 to 2 mm higher there than in MuJoCo.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.meshes import Mesh, mean_rgba
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.inertia import principal_inertia
from cousins.reconstruct.kinematics import joints_in_order
from cousins.rounding import format_lengths, format_number, format_numbers, roll_pitch_yaw
from cousins.scene.io.mesh_writer import mesh_files, write_files
from cousins.scene.io.paths import (
    asset_folder,
    body_name,
    piece_file,
    require_scene_names,
    structures_folder,
    visual_file,
)
from cousins.scene.robot_formats.contact_friction import ROLLING_FRICTION_M, SPINNING_FRICTION_M
from cousins.scene.scenes import PlacedAsset, Scene, Structure, hanging_supports

MAX_JOINT_EFFORT: Final = 1000.0
"""Effort limit [N·m] or [N] that URDF demands of a joint nobody drives: more than a person exerts."""
MAX_JOINT_VELOCITY: Final = 100.0
"""Velocity limit [rad/s] or [m/s] that URDF demands: more than a settling scene reaches."""


def urdf_files(scene: Scene, *, visuals: bool = True) -> dict[str, bytes]:
    """Return every URDF of a scene by path relative to the scene folder; the meshes are not among them."""
    require_scene_names(scene)
    files = {"scene.urdf": _xml_bytes(_scene_robot(scene, visuals=visuals))}
    files["structures.urdf"] = _xml_bytes(_structures_robot(scene, visuals=visuals))
    for placed in scene.objects:
        robot = ET.Element("robot", name=placed.asset.name)
        _add_asset(robot, placed.asset, folder="", visuals=visuals)
        files[f"{asset_folder(placed.asset.name)}/asset.urdf"] = _xml_bytes(robot)
    return files


def write_urdf(scene: Scene, folder: Path, *, visuals: bool = True) -> None:
    """Write every URDF of a scene, and the meshes they name, into a scene folder."""
    write_files(mesh_files(scene, visuals=visuals) | urdf_files(scene, visuals=visuals), folder)


def _scene_robot(scene: Scene, *, visuals: bool) -> ET.Element:
    robot = ET.Element("robot", name=scene.name)
    ET.SubElement(robot, "link", name="world")
    for structure in scene.structures:
        _add_structure(robot, structure, parent="world", visuals=visuals)
    supports = hanging_supports(scene)
    for placed in scene.objects:
        _add_asset(robot, placed.asset, folder=f"{asset_folder(placed.asset.name)}/", visuals=visuals)
        _add_root_joint(robot, placed, parent=supports.get(placed.asset.name, "world"))
    return robot


def _structures_robot(scene: Scene, *, visuals: bool) -> ET.Element:
    robot = ET.Element("robot", name=f"{scene.name}_structures")
    ET.SubElement(robot, "link", name="world")
    for structure in scene.structures:
        _add_structure(robot, structure, parent="world", visuals=visuals)
    return robot


def _add_structure(robot: ET.Element, structure: Structure, *, parent: str, visuals: bool) -> None:
    """Add a fixed body; its mass of 0 says, as in PyBullet, that nothing moves it."""
    link = ET.SubElement(robot, "link", name=structure.name)
    _add_contact(link, structure.friction, structure.restitution)
    inertial = ET.SubElement(link, "inertial")
    _add_origin(inertial, np.eye(4))
    ET.SubElement(inertial, "mass", value="0")
    ET.SubElement(inertial, "inertia", ixx="0", ixy="0", ixz="0", iyy="0", iyz="0", izz="0")
    folder = f"{structures_folder()}/"
    if visuals:
        _add_visual(link, structure.visual, f"{folder}{visual_file(structure.name)}")
    for index, piece in enumerate(structure.pieces):
        _add_collision(link, piece, f"{folder}{piece_file(structure.name, index)}")
    joint = ET.SubElement(robot, "joint", name=f"world__{structure.name}", type="fixed")
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=structure.name)
    _add_origin(joint, np.eye(4))


def _add_root_joint(robot: ET.Element, placed: PlacedAsset, *, parent: str) -> None:
    """Join an object to the world or to a structure, whose frame is the world's."""
    kind = "fixed" if placed.fixed else "floating"
    joint = ET.SubElement(robot, "joint", name=f"{parent}__{placed.asset.name}", type=kind)
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=placed.asset.name)
    _add_origin(joint, placed.world_from_asset)


def _add_asset(robot: ET.Element, asset: Asset, *, folder: str, visuals: bool) -> None:
    for link in asset.links:
        _add_link(robot, asset, link, folder=folder, visuals=visuals)
    for joint in joints_in_order(asset):
        _add_joint(robot, asset, joint)


def _add_link(robot: ET.Element, asset: Asset, link: Link, *, folder: str, visuals: bool) -> None:
    element = ET.SubElement(robot, "link", name=body_name(asset, link.name))
    _add_contact(element, asset.friction, asset.restitution)
    inertial = ET.SubElement(element, "inertial")
    moments, link_from_principal = principal_inertia(link.inertia_kg_m2)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = link_from_principal, link.center_of_mass_m
    _add_origin(inertial, pose)
    ET.SubElement(inertial, "mass", value=format_number(link.mass_kg.value))
    xx, yy, zz = (format_number(moment) for moment in moments)
    ET.SubElement(inertial, "inertia", ixx=xx, ixy="0", ixz="0", iyy=yy, iyz="0", izz=zz)
    if visuals:
        _add_visual(element, link.visual, f"{folder}{visual_file(link.name)}")
    for index, piece in enumerate(link.pieces):
        _add_collision(element, piece, f"{folder}{piece_file(link.name, index)}")


def _add_joint(robot: ET.Element, asset: Asset, joint: Joint) -> None:
    element = ET.SubElement(robot, "joint", name=f"{asset.name}__{joint.name}", type=joint.kind)
    ET.SubElement(element, "parent", link=body_name(asset, joint.parent))
    ET.SubElement(element, "child", link=body_name(asset, joint.child))
    _add_origin(element, joint.parent_from_child)
    if joint.kind == "fixed":
        return
    ET.SubElement(element, "axis", xyz=format_numbers(np.round(joint.axis, 7) + 0.0))
    ET.SubElement(
        element,
        "limit",
        lower=format_number(joint.lower),
        upper=format_number(joint.upper),
        effort=format_number(MAX_JOINT_EFFORT),
        velocity=format_number(MAX_JOINT_VELOCITY),
    )
    ET.SubElement(element, "dynamics", damping=format_number(joint.damping), friction=format_number(joint.friction))


def _add_contact(element: ET.Element, friction: Quantity, restitution: Quantity) -> None:
    contact = ET.SubElement(element, "contact")
    ET.SubElement(contact, "lateral_friction", value=format_number(math.sqrt(friction.value)))
    ET.SubElement(contact, "restitution", value=format_number(math.sqrt(restitution.value)))
    ET.SubElement(contact, "spinning_friction", value=format_number(SPINNING_FRICTION_M))
    ET.SubElement(contact, "rolling_friction", value=format_number(ROLLING_FRICTION_M))


def _add_visual(element: ET.Element, mesh: Mesh, path: str) -> None:
    visual = ET.SubElement(element, "visual")
    _add_origin(visual, np.eye(4))
    ET.SubElement(ET.SubElement(visual, "geometry"), "mesh", filename=path)
    if mesh.texture is None:
        material = ET.SubElement(visual, "material", name=f"{path.removesuffix('.obj').replace('/', '_')}_material")
        ET.SubElement(material, "color", rgba=format_numbers(mean_rgba(mesh)))


def _add_collision(element: ET.Element, piece: Piece, path: str) -> None:
    collision = ET.SubElement(element, "collision")
    _add_origin(collision, piece.link_from_piece if piece.kind != "mesh" else np.eye(4))
    geometry = ET.SubElement(collision, "geometry")
    if piece.kind == "box":
        ET.SubElement(geometry, "box", size=format_lengths(piece.size_m))
    elif piece.kind == "cylinder":
        radius, height = format_lengths(piece.size_m[0] / 2.0), format_lengths(piece.size_m[2])
        ET.SubElement(geometry, "cylinder", radius=radius, length=height)
    elif piece.kind == "sphere":
        ET.SubElement(geometry, "sphere", radius=format_lengths(piece.size_m[0] / 2.0))
    else:
        ET.SubElement(geometry, "mesh", filename=path)


def _add_origin(element: ET.Element, pose: Array) -> None:
    ET.SubElement(element, "origin", xyz=format_lengths(pose[:3, 3]), rpy=format_numbers(roll_pitch_yaw(pose[:3, :3])))


def _xml_bytes(robot: ET.Element) -> bytes:
    ET.indent(robot)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(robot, encoding="utf-8") + b"\n"
