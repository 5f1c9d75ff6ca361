"""Compile a scene to MJCF for MuJoCo; every default that matters is written out.

MuJoCo has no restitution: its contacts are damped springs, `solref = (time constant, damping ratio)`. A ratio below 1
would bounce, but it buzzes too and lets things at rest creep. So every contact is stiff and critically damped,
nothing bounces, and the restitution of the scene stays in the URDF and in USD. With 5 ms a body at rest sinks by well
under 0.1 mm; MuJoCo wants a time constant of at least two steps.

MuJoCo takes the larger friction of a pair. So structure is written with none, and each object with its value against
the structure: the geometric mean of both, as in the URDF. Two objects have the larger of theirs.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import numpy as np

from cousins.geometry import Array
from cousins.meshes import Mesh
from cousins.reconstruct.assets import Asset, Joint, Link, Piece
from cousins.scene.contact_friction import ROLLING_M, SPINNING_M, pair_friction
from cousins.scene.inertia import principal_inertia
from cousins.scene.io.mesh_writer import mesh_files, write_files
from cousins.scene.io.obj import PngWriter
from cousins.scene.io.paths import (
    asset_folder,
    body_name,
    piece_file,
    require_scene_names,
    structures_folder,
    texture_file,
    visual_file,
)
from cousins.scene.io.rounding import lengths, number, numbers, quaternion
from cousins.scene.kinematics import joints_in_order
from cousins.scene.robot_formats.mjcf_lights import add_look
from cousins.scene.robot_formats.urdf_writer import mean_rgba
from cousins.scene.scenes import Placed, Scene, Structure

TIMESTEP_S: Final = 0.002
"""Step of the compiled model [s]; MuJoCo's own default."""
CONTACT_TIME_S: Final = 0.005
"""Time constant of a critically damped contact [s]: two and a half steps."""
VISUAL_GROUP: Final = "2"
"""Geom group of the looks; they collide with nothing."""
COLLISION_GROUP: Final = "3"
"""Geom group of the convex pieces."""
GRAVITY_M_S2: Final = 9.81
"""Gravity along -z [m/s²]."""
_FILE: Final = re.compile(r' file="([^"]+)"')


def mjcf_file(scene: Scene, *, visuals: bool = True) -> bytes:
    """Return a scene as MJCF; its meshes lie at the paths of `mesh_files`, relative to the scene folder."""
    require_scene_names(scene)
    root = ET.Element("mujoco", model=scene.name)
    _add_options(root)
    asset = ET.SubElement(root, "asset")
    world = ET.SubElement(root, "worldbody")
    contact = ET.SubElement(root, "contact")
    if scene.look is not None:
        add_look(root, world, scene.look)
    for structure in scene.structures:
        _add_structure(world, asset, structure, visuals=visuals)
    for placed in scene.objects:
        surface = _surface(pair_friction(placed.asset.friction.value, scene.structures))
        _add_object(world, asset, placed, surface=surface, visuals=visuals)
        _exclude_own_parts(contact, placed.asset)
    ET.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="utf-8") + b"\n"


def mjcf_in_memory(scene: Scene, *, visuals: bool = True, png: PngWriter | None = None) -> tuple[str, dict[str, bytes]]:
    """Return a scene as MJCF text and the files that it names, as `MjModel.from_xml_string` takes them.

    MuJoCo's files in memory have no folders, so `__` stands where a scene folder has `/`.
    """
    text = mjcf_file(scene, visuals=visuals).decode()
    flat = _FILE.sub(lambda found: f' file="{_flat(found[1])}"', text)
    return flat, {_flat(path): data for path, data in mesh_files(scene, visuals=visuals, png=png).items()}


def write_mjcf(scene: Scene, folder: Path, *, visuals: bool = True) -> None:
    """Write `scene.xml`, and the meshes it names, into a scene folder."""
    files = mesh_files(scene, visuals=visuals)
    files["scene.xml"] = mjcf_file(scene, visuals=visuals)
    write_files(files, folder)


def _flat(path: str) -> str:
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
        "timestep": number(TIMESTEP_S),
        "gravity": f"0 0 {number(-GRAVITY_M_S2)}",
        "integrator": "implicitfast",
        "cone": "elliptic",
        "impratio": "10",
    }
    ET.SubElement(root, "option", option)


def _add_structure(world: ET.Element, asset: ET.Element, structure: Structure, *, visuals: bool) -> None:
    body = ET.SubElement(world, "body", name=structure.name, pos="0 0 0", quat="1 0 0 0")
    folder = structures_folder()
    if visuals:
        _add_visual(body, asset, structure.visual, folder=folder, owner=structure.name, name=structure.name)
    _add_pieces(
        body, asset, structure.pieces, surface=_surface(0.0), folder=folder, owner=structure.name, name=structure.name
    )


def _add_object(
    world: ET.Element, asset: ET.Element, placed: Placed, *, surface: dict[str, str], visuals: bool
) -> None:
    thing = placed.asset
    root = thing.links[0].name
    bodies = {root: _add_body(world, thing.name, placed.world_from_asset)}
    if not placed.fixed:
        ET.SubElement(bodies[root], "freejoint", name=f"{thing.name}__free")
    _fill_body(bodies[root], asset, thing, thing.links[0], surface=surface, visuals=visuals)
    links = {link.name: link for link in thing.links}
    for joint in joints_in_order(thing):
        child = _add_body(bodies[joint.parent], body_name(thing, joint.child), joint.parent_from_child)
        bodies[joint.child] = child
        if joint.kind != "fixed":
            _add_joint(child, thing, joint)
        _fill_body(child, asset, thing, links[joint.child], surface=surface, visuals=visuals)


def _add_body(parent: ET.Element, name: str, pose: Array) -> ET.Element:
    return ET.SubElement(parent, "body", name=name, pos=lengths(pose[:3, 3]), quat=quaternion(pose[:3, :3]))


def _fill_body(
    body: ET.Element, asset: ET.Element, thing: Asset, link: Link, *, surface: dict[str, str], visuals: bool
) -> None:
    moments, link_from_principal = principal_inertia(link.inertia_kg_m2)
    inertial = {
        "pos": lengths(link.center_of_mass_m),
        "quat": quaternion(link_from_principal),
        "mass": number(link.mass_kg.value),
        "diaginertia": numbers(moments),
    }
    ET.SubElement(body, "inertial", inertial)
    folder = asset_folder(thing.name)
    name = body_name(thing, link.name)
    if visuals:
        _add_visual(body, asset, link.visual, folder=folder, owner=link.name, name=name)
    _add_pieces(body, asset, link.pieces, surface=surface, folder=folder, owner=link.name, name=name)


def _add_joint(body: ET.Element, thing: Asset, joint: Joint) -> None:
    values = {
        "name": f"{thing.name}__{joint.name}",
        "type": "hinge" if joint.kind == "revolute" else "slide",
        "pos": "0 0 0",
        "axis": numbers(np.round(joint.axis, 7) + 0.0),
        "limited": "true",
        "range": f"{number(joint.lower)} {number(joint.upper)}",
        "damping": number(joint.damping),
        "frictionloss": number(joint.friction),
    }
    ET.SubElement(body, "joint", values)


def _add_visual(body: ET.Element, asset: ET.Element, mesh: Mesh, *, folder: str, owner: str, name: str) -> None:
    label = f"{name}__visual"
    ET.SubElement(asset, "mesh", name=label, file=f"{folder}/{visual_file(owner)}", inertia="shell")
    geom = {"name": label, "type": "mesh", "mesh": label, "group": VISUAL_GROUP, "contype": "0", "conaffinity": "0"}
    geom |= {"mass": "0"}
    if mesh.texture is not None and mesh.uv is not None:
        ET.SubElement(asset, "texture", name=label, type="2d", file=f"{folder}/{texture_file(owner)}")
        ET.SubElement(asset, "material", name=label, texture=label, specular="0", shininess="0")
        geom["material"] = label
    else:
        geom["rgba"] = numbers(mean_rgba(mesh))
    ET.SubElement(body, "geom", geom)


def _add_pieces(
    body: ET.Element,
    asset: ET.Element,
    pieces: tuple[Piece, ...],
    *,
    surface: dict[str, str],
    folder: str,
    owner: str,
    name: str,
) -> None:
    for index, piece in enumerate(pieces):
        geom = {"name": f"{name}__piece_{index:02d}"} | _shape(piece) | surface
        if piece.kind == "mesh":
            path = f"{folder}/{piece_file(owner, index)}"
            ET.SubElement(asset, "mesh", name=geom["name"], file=path, inertia="shell")
            geom["mesh"] = geom["name"]
        ET.SubElement(body, "geom", geom)


def _shape(piece: Piece) -> dict[str, str]:
    if piece.kind == "mesh":
        return {"type": "mesh"}
    half = piece.size_m / 2.0
    size = {"box": half, "cylinder": half[[0, 2]], "sphere": half[:1]}[piece.kind]
    pose = piece.link_from_piece
    return {
        "type": piece.kind,
        "size": lengths(size),
        "pos": lengths(pose[:3, 3]),
        "quat": quaternion(pose[:3, :3]),
    }


def _surface(friction: float) -> dict[str, str]:
    return {
        "group": COLLISION_GROUP,
        "contype": "1",
        "conaffinity": "1",
        "condim": "4",
        "friction": f"{number(friction)} {number(SPINNING_M)} {number(ROLLING_M)}",
        "solref": f"{number(CONTACT_TIME_S)} 1",
        "solimp": "0.95 0.99 0.001 0.5 2",
        "margin": "0",
        "gap": "0",
        "mass": "0",
    }


def _exclude_own_parts(contact: ET.Element, thing: Asset) -> None:
    names = [body_name(thing, link.name) for link in thing.links]
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            ET.SubElement(contact, "exclude", body1=first, body2=second)
