"""Anyone's URDF of a robot: joints and limits as declared, each collision mesh as its convex hull.

Masses are the declared ones, spread evenly over the hulls: declared inertias are often placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import trimesh

from cousins.geometry import Array
from cousins.importers.articulated import MovingPart, mesh_in_part, moving_parts, pieces_of_primitive
from cousins.importers.articulation import LinkSpec, ShapeSpec, parse_number, read_xml
from cousins.importers.urdf import read_urdf
from cousins.meshes import Mesh, concatenate
from cousins.reconstruct.assets import Joint, Link, Piece
from sim.bodies.files.hulls import PAINT, reduced_hull
from sim.bodies.files.robot_model import RobotModel, robot_error
from sim.bodies.parts import shapeless_link
from sim.physics.simple_assets import make_link

LIGHTEST_KG: Final = 1e-3
"""Parts that declare less weigh this much [kg]."""


def read_urdf_robot(path: Path, *, looks: bool) -> RobotModel:
    """Return the robot of a URDF; `looks` reads visual meshes too. Raises `CaptureError`."""
    links = read_urdf(path)
    parts = moving_parts(links)
    frames = {name: _frame(links, name) for name in links}
    declared_kg, efforts, speeds = _declared(path)
    masses_kg: dict[str, float] = {}
    for name, (owner, _) in frames.items():
        masses_kg[owner] = masses_kg.get(owner, 0.0) + declared_kg.get(name, 0.0)
    return RobotModel(
        links=tuple(_link(part, max(masses_kg[part.link.name], LIGHTEST_KG), path, looks=looks) for part in parts),
        joints=tuple(_joint(part) for part in parts[1:]),
        frames=frames,
        max_force=efforts,
        max_speed=speeds,
    )


def _declared(path: Path) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Return masses by link [kg], efforts and speeds by joint; 0 where the file has none."""
    robot = read_xml(path)
    masses_kg, efforts, speeds = {}, {}, {}
    for element in robot.findall("link"):
        mass = element.find("inertial/mass")
        masses_kg[element.get("name", "")] = parse_number(None if mass is None else mass.get("value"), 0.0, path)
    for element in robot.findall("joint"):
        limit = element.find("limit")
        attributes: Any = {} if limit is None else limit.attrib
        efforts[element.get("name", "")] = parse_number(attributes.get("effort"), 0.0, path)
        speeds[element.get("name", "")] = parse_number(attributes.get("velocity"), 0.0, path)
    return masses_kg, efforts, speeds


def _frame(links: Mapping[str, LinkSpec], name: str) -> tuple[str, Array]:
    """Return the moving part that a link belongs to, and the link's pose in it [4, 4]."""
    link, pose = links[name], np.eye(4)
    while link.parent and (link.joint is None or link.joint.kind == "fixed"):
        pose = link.parent_from_link @ pose
        link = links[link.parent]
    return link.name, pose


def _link(part: MovingPart, mass_kg: float, path: Path, *, looks: bool) -> Link:
    pieces: list[Piece] = []
    for shape in part.shapes:
        if shape.is_collision:
            pieces += (
                [reduced_hull(_mesh(shape, path).vertices)] if shape.kind == "mesh" else pieces_of_primitive(shape)
            )
    name = part.link.name
    link = make_link(name, pieces, mass_kg=mass_kg) if pieces else shapeless_link(name, mass_kg=mass_kg)
    meshes = [_mesh(shape, path) for shape in part.shapes if shape.is_visual and shape.kind == "mesh"] if looks else []
    visual = concatenate(meshes) if meshes else link.visual
    colors = np.tile(np.array(PAINT, dtype=np.uint8), (len(visual.vertices), 1))
    return replace(link, visual=replace(visual, colors=colors))


def _mesh(shape: ShapeSpec, path: Path) -> Mesh:
    """Return a mesh file's geometry in its part's frame; ROS packages are looked for beside the URDF."""
    inner = shape.file.removeprefix("package://")
    for candidate in (path.parent / inner, path.parent / inner.partition("/")[2]):
        if candidate.is_file() and candidate.resolve().is_relative_to(path.parent.resolve()):
            loaded = trimesh.load(candidate, force="mesh", process=False, skip_materials=True)
            return mesh_in_part(Mesh.from_trimesh(loaded), shape)
    problem = f"a mesh {shape.file[:80]!r} that is not beside it"
    expected = "a URDF of one robot, its meshes beside it"
    raise robot_error(path, problem, expected=expected, hint="Put the mesh there.")


def _joint(part: MovingPart) -> Joint:
    joint = part.link.joint
    assert joint is not None
    return Joint(
        name=joint.name,
        kind=joint.kind,
        parent=part.parent,
        child=part.link.name,
        parent_from_child=part.parent_from_part,
        axis=joint.axis,
        lower=joint.lower,
        upper=joint.upper,
        damping=joint.damping,
        friction=joint.friction,
    )
