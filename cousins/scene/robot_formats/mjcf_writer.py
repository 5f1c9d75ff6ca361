"""Compile a scene to MJCF for MuJoCo; every default that matters is written out.

MuJoCo has no restitution: its contacts are damped springs, `solref = (time constant, damping ratio)`. A ratio below 1
would bounce, but it buzzes too and lets things at rest creep. So every contact is stiff and critically damped,
nothing bounces, and the restitution of the scene stays in the URDF and in USD. With 5 ms a body at rest sinks by well
under 0.1 mm; MuJoCo wants a time constant of at least two steps.

MuJoCo takes the larger friction of a pair. So structure is written with none, and each object with its value against
the structure: the geometric mean of both, as in the URDF. A pair of objects gets the larger of both values.

What hangs on a wall or a ceiling is a child of its body, without a joint.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.meshes import Mesh, mean_rgba
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.reconstruct.inertia import principal_inertia
from cousins.reconstruct.kinematics import joints_in_order
from cousins.rounding import format_lengths, format_number, format_numbers, format_quaternion
from cousins.scene.io.mesh_writer import PngWriter, mesh_files, write_files
from cousins.scene.io.paths import (
    asset_folder,
    body_name,
    piece_file,
    require_scene_names,
    structures_folder,
    texture_file,
    visual_file,
)
from cousins.scene.robot_formats.contact_friction import ROLLING_FRICTION_M, SPINNING_FRICTION_M, pair_friction
from cousins.scene.robot_formats.mjcf_lights import add_look
from cousins.scene.scenes import GRAVITY_M_S2, PlacedAsset, Scene, Structure, hanging_supports

TIMESTEP_S: Final = 0.002
"""Step of the compiled model [s]; MuJoCo's own default."""
CONTACT_TIME_S: Final = 0.005
"""Time constant of a critically damped contact [s]: two and a half steps."""
VISUAL_GROUP: Final = "2"
"""Geom group of the looks; they collide with nothing."""
COLLISION_GROUP: Final = "3"
"""Geom group of the convex pieces."""
_FILE_ATTRIBUTE: Final = re.compile(r' file="([^"]+)"')


def mjcf_file(scene: Scene, *, visuals: bool = True) -> bytes:
    """Return a scene as MJCF; its meshes lie at the paths of `mesh_files`, relative to the scene folder."""
    require_scene_names(scene)
    root = ET.Element("mujoco", model=scene.name)
    _add_options(root)
    asset_element = ET.SubElement(root, "asset")
    world = ET.SubElement(root, "worldbody")
    contact = ET.SubElement(root, "contact")
    if scene.look is not None:
        add_look(root, world, scene.look)
    bodies = {
        structure.name: _add_structure(world, asset_element, structure, visuals=visuals)
        for structure in scene.structures
    }
    supports = hanging_supports(scene)
    for placed in scene.objects:
        contact_attributes = _contact_attributes(pair_friction(placed.asset.friction.value, scene.structures))
        parent = bodies.get(supports.get(placed.asset.name, ""), world)
        _add_object(parent, asset_element, placed, contact_attributes=contact_attributes, visuals=visuals)
        _exclude_self_collisions(contact, placed.asset)
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="utf-8") + b"\n"


def mjcf_in_memory(scene: Scene, *, visuals: bool = True, png: PngWriter | None = None) -> tuple[str, dict[str, bytes]]:
    """Return a scene as MJCF text and the files that it names, as `MjModel.from_xml_string` takes them.

    MuJoCo's files in memory have no folders, so `__` stands where a scene folder has `/`.
    """
    text = mjcf_file(scene, visuals=visuals).decode()
    flat_text = _FILE_ATTRIBUTE.sub(lambda match: f' file="{_flat_path(match[1])}"', text)
    return flat_text, {_flat_path(path): data for path, data in mesh_files(scene, visuals=visuals, png=png).items()}


def write_mjcf(scene: Scene, folder: Path, *, visuals: bool = True) -> None:
    """Write `scene.xml`, and the meshes it names, into a scene folder."""
    files = mesh_files(scene, visuals=visuals)
    files["scene.xml"] = mjcf_file(scene, visuals=visuals)
    write_files(files, folder)


def _flat_path(path: str) -> str:
    return path.replace("/", "__")


def _add_options(root: ET.Element) -> None:
    compiler = {
        "angle": "radian",
        "autolimits": "false",
        "inertiafromgeom": "false",
        "balanceinertia": "false",
        "boundmass": "0",
        "boundinertia": "0",
        "fusestatic": "false",
        "discardvisual": "false",
    }
    ET.SubElement(root, "compiler", compiler)
    option = {
        "timestep": format_number(TIMESTEP_S),
        "gravity": f"0 0 {format_number(-GRAVITY_M_S2)}",
        "integrator": "implicitfast",
        "cone": "elliptic",
        "impratio": "10",
    }
    ET.SubElement(root, "option", option)


def _add_structure(world: ET.Element, asset_element: ET.Element, structure: Structure, *, visuals: bool) -> ET.Element:
    """Add a fixed body whose frame is the world's, and return it."""
    body = ET.SubElement(world, "body", name=structure.name, pos="0 0 0", quat="1 0 0 0")
    folder = structures_folder()
    if visuals:
        _add_visual(body, asset_element, structure.visual, folder=folder, owner=structure.name, name=structure.name)
    _add_pieces(
        body,
        asset_element,
        structure.pieces,
        contact_attributes=_contact_attributes(0.0),
        folder=folder,
        owner=structure.name,
        name=structure.name,
    )
    return body


def _add_object(
    parent: ET.Element,
    asset_element: ET.Element,
    placed: PlacedAsset,
    *,
    contact_attributes: dict[str, str],
    visuals: bool,
) -> None:
    """Add an object to the world's body, or to that of the structure that it hangs on."""
    asset = placed.asset
    root = asset.links[0].name
    bodies = {root: _add_body(parent, asset.name, placed.world_from_asset)}
    if not placed.fixed:
        ET.SubElement(bodies[root], "freejoint", name=f"{asset.name}__free")
    _fill_body(
        bodies[root], asset_element, asset, asset.links[0], contact_attributes=contact_attributes, visuals=visuals
    )
    links = {link.name: link for link in asset.links}
    for joint in joints_in_order(asset):
        child = _add_body(bodies[joint.parent], body_name(asset, joint.child), joint.parent_from_child)
        bodies[joint.child] = child
        if joint.kind != "fixed":
            _add_joint(child, asset, joint)
        _fill_body(
            child, asset_element, asset, links[joint.child], contact_attributes=contact_attributes, visuals=visuals
        )


def _add_body(parent: ET.Element, name: str, pose: Array) -> ET.Element:
    return ET.SubElement(
        parent, "body", name=name, pos=format_lengths(pose[:3, 3]), quat=format_quaternion(pose[:3, :3])
    )


def _fill_body(
    body: ET.Element,
    asset_element: ET.Element,
    asset: Asset,
    link: Link,
    *,
    contact_attributes: dict[str, str],
    visuals: bool,
) -> None:
    moments, link_from_principal = principal_inertia(link.inertia_kg_m2)
    inertial = {
        "pos": format_lengths(link.center_of_mass_m),
        "quat": format_quaternion(link_from_principal),
        "mass": format_number(link.mass_kg.value),
        "diaginertia": format_numbers(moments),
    }
    ET.SubElement(body, "inertial", inertial)
    folder = asset_folder(asset.name)
    name = body_name(asset, link.name)
    if visuals:
        _add_visual(body, asset_element, link.visual, folder=folder, owner=link.name, name=name)
    _add_pieces(
        body,
        asset_element,
        link.pieces,
        contact_attributes=contact_attributes,
        folder=folder,
        owner=link.name,
        name=name,
    )


def _add_joint(body: ET.Element, asset: Asset, joint: Joint) -> None:
    attributes = {
        "name": f"{asset.name}__{joint.name}",
        "type": "hinge" if joint.kind == "revolute" else "slide",
        "pos": "0 0 0",
        "axis": format_numbers(np.round(joint.axis, 7) + 0.0),
        "limited": "true",
        "range": f"{format_number(joint.lower)} {format_number(joint.upper)}",
        "damping": format_number(joint.damping),
        "frictionloss": format_number(joint.friction),
    }
    ET.SubElement(body, "joint", attributes)


def _add_visual(body: ET.Element, asset_element: ET.Element, mesh: Mesh, *, folder: str, owner: str, name: str) -> None:
    visual_name = f"{name}__visual"
    ET.SubElement(asset_element, "mesh", name=visual_name, file=f"{folder}/{visual_file(owner)}", inertia="shell")
    geom = {
        "name": visual_name,
        "type": "mesh",
        "mesh": visual_name,
        "group": VISUAL_GROUP,
        "contype": "0",
        "conaffinity": "0",
    }
    geom |= {"mass": "0"}
    if mesh.texture is not None and mesh.uv is not None:
        ET.SubElement(asset_element, "texture", name=visual_name, type="2d", file=f"{folder}/{texture_file(owner)}")
        ET.SubElement(asset_element, "material", name=visual_name, texture=visual_name, specular="0", shininess="0")
        geom["material"] = visual_name
    else:
        geom["rgba"] = format_numbers(mean_rgba(mesh))
    ET.SubElement(body, "geom", geom)


def _add_pieces(
    body: ET.Element,
    asset_element: ET.Element,
    pieces: tuple[Piece, ...],
    *,
    contact_attributes: dict[str, str],
    folder: str,
    owner: str,
    name: str,
) -> None:
    for index, piece in enumerate(pieces):
        geom = {"name": f"{name}__piece_{index:02d}"} | _shape_attributes(piece) | contact_attributes
        if piece.kind == "mesh":
            path = f"{folder}/{piece_file(owner, index)}"
            ET.SubElement(asset_element, "mesh", name=geom["name"], file=path, inertia="shell")
            geom["mesh"] = geom["name"]
        ET.SubElement(body, "geom", geom)


def _shape_attributes(piece: Piece) -> dict[str, str]:
    if piece.kind == "mesh":
        return {"type": "mesh"}
    half = piece.size_m / 2.0
    size = {"box": half, "cylinder": half[[0, 2]], "sphere": half[:1]}[piece.kind]
    pose = piece.link_from_piece
    return {
        "type": piece.kind,
        "size": format_lengths(size),
        "pos": format_lengths(pose[:3, 3]),
        "quat": format_quaternion(pose[:3, :3]),
    }


def _contact_attributes(friction: float) -> dict[str, str]:
    return {
        "group": COLLISION_GROUP,
        "contype": "1",
        "conaffinity": "1",
        "condim": "4",
        "friction": " ".join(format_number(value) for value in (friction, SPINNING_FRICTION_M, ROLLING_FRICTION_M)),
        "solref": f"{format_number(CONTACT_TIME_S)} 1",
        "solimp": "0.95 0.99 0.001 0.5 2",
        "margin": "0",
        "gap": "0",
        "mass": "0",
    }


def _exclude_self_collisions(contact: ET.Element, asset: Asset) -> None:
    names = [body_name(asset, link.name) for link in asset.links]
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            ET.SubElement(contact, "exclude", body1=first, body2=second)
