"""Anyone's URDF as a body: joints and limits as declared, each collision mesh as its convex hull.

Masses are the declared ones, spread evenly over the hulls: declared inertias are often placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import trimesh

from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.importers.articulated import Part, moving_parts, placed_mesh, primitive_pieces
from cousins.importers.articulation import ToldLink, ToldShape, number_of, root_of
from cousins.importers.urdf import read_urdf
from cousins.meshes import Mesh, concatenate
from cousins.reconstruct.assets import Joint, Link, Piece
from sim.bodies.body import Body, Drive
from sim.bodies.parts import body_asset, ghost
from sim.physics.simple_assets import hull_piece, link

DIRECTIONS: Final = trimesh.creation.icosphere(subdivisions=2).vertices
"""A hull keeps its farthest corners along these, 162 of them: within a millimetre of a hand-sized one [n, 3]."""
LIGHTEST_KG: Final = 1e-3
"""Parts that declare less weigh this much [kg]."""
PAINT: Final = (225, 226, 230)
"""Colour of what is seen."""


@dataclass(frozen=True, kw_only=True)
class UrdfConfig:
    """What a URDF does not tell."""

    name: str
    """Name of the body."""
    tip: str
    """Link whose frame is the tip, z out of the hand."""
    home: Mapping[str, float]
    """Driven joints, in order, with their position at the start [rad] or [m]; those of the fingers last."""
    fingers: tuple[str, ...] = ()
    """Driven joints that open the hand as they grow."""
    fingers_linked: bool = False
    """Whether gears keep all fingers equally open."""
    armature: float = 0.0
    """Inertia of motor and gears at each turning joint [kg·m²]."""
    finger_armature: float = 0.0
    """The same at the fingers [kg or kg·m²]."""
    most_force: Mapping[str, float] | None = None
    """Force or torque by joint where the declared one is a placeholder [N] or [N·m]."""
    most_speed: Mapping[str, float] | None = None
    """Speed by joint where the declared one is a placeholder [m/s] or [rad/s]."""
    lower: Mapping[str, float] | None = None
    """Lower limit by joint that replaces the declared one."""
    upper: Mapping[str, float] | None = None
    """Upper limit by joint that replaces the declared one."""
    control_hz: float = 20.0
    """Commands per second that the real controller takes."""
    latency_s: float = 0.0
    """Time until a command acts [s]."""
    origin: str = ""
    """Where the URDF comes from."""
    licence: str = ""
    """SPDX name of its licence."""
    looks: bool = False
    """Whether the visual meshes are read too; else hulls are what is seen."""


def from_urdf(path: Path, config: UrdfConfig) -> Body:
    """Return the body that a URDF tells; raises `CaptureError` for a broken one."""
    told = read_urdf(path)
    parts = moving_parts(told)
    owner, pose = _owner_of(told, config.tip, path)
    declared = _declared(path)
    masses: dict[str, float] = {}
    for name in told:
        above = _owner_of(told, name, path)[0]
        masses[above] = masses.get(above, 0.0) + declared.masses.get(name, 0.0)
    drives = tuple(_drive(name, home, declared, config, path) for name, home in config.home.items())
    if not any(shape.collides for part in parts for shape in part.shapes):
        raise _lacks(path, "nothing to touch", ())
    links = [_link(part, max(masses[part.link.name], LIGHTEST_KG), path, looks=config.looks) for part in parts]
    return Body(
        name=config.name,
        asset=body_asset(config.name, links, [_joint(part, config) for part in parts[1:]]),
        drives=drives,
        fingers=config.fingers,
        fingers_linked=config.fingers_linked,
        tip=owner,
        link_from_tip=pose,
        control_hz=config.control_hz,
        latency_s=config.latency_s,
        origin=config.origin,
        licence=config.licence,
    )


@dataclass(frozen=True, kw_only=True)
class _Declared:
    masses: Mapping[str, float]
    efforts: Mapping[str, float]
    speeds: Mapping[str, float]


def _declared(path: Path) -> _Declared:
    """Return masses by link, efforts and speeds by joint, 0 where none is told."""
    robot = root_of(path)
    masses, efforts, speeds = {}, {}, {}
    for element in robot.findall("link"):
        mass = element.find("inertial/mass")
        masses[element.get("name", "")] = number_of(None if mass is None else mass.get("value"), 0.0, path)
    for element in robot.findall("joint"):
        limit = element.find("limit")
        given: Any = {} if limit is None else limit.attrib
        efforts[element.get("name", "")] = number_of(given.get("effort"), 0.0, path)
        speeds[element.get("name", "")] = number_of(given.get("velocity"), 0.0, path)
    return _Declared(masses=masses, efforts=efforts, speeds=speeds)


def _owner_of(told: Mapping[str, ToldLink], name: str, path: Path) -> tuple[str, Array]:
    """Return the moving part that a link belongs to, and the link's pose in it; raises `CaptureError`."""
    if name not in told:
        raise _lacks(path, f"no link {name!r}", told)
    one, pose = told[name], np.eye(4)
    while one.parent and (one.joint is None or one.joint.kind == "fixed"):
        pose = one.parent_from_link @ pose
        one = told[one.parent]
    return one.name, pose


def _link(part: Part, mass_kg: float, path: Path, *, looks: bool) -> Link:
    pieces: list[Piece] = []
    for shape in part.shapes:
        if shape.collides:
            pieces += [_hull(shape, path)] if shape.kind == "mesh" else primitive_pieces(shape)
    name = part.link.name
    made = link(name, pieces, mass_kg=mass_kg) if pieces else ghost(name, mass_kg=mass_kg)
    seen = [_read(shape, path) for shape in part.shapes if shape.seen and shape.kind == "mesh"] if looks else []
    visual = concatenate(seen) if seen else made.visual
    colors = np.tile(np.array(PAINT, dtype=np.uint8), (len(visual.vertices), 1))
    return replace(made, visual=replace(visual, colors=colors))


def _hull(shape: ToldShape, path: Path) -> Piece:
    vertices = _read(shape, path).vertices
    return hull_piece(vertices[np.unique((vertices @ DIRECTIONS.T).argmax(axis=0))])


def _read(shape: ToldShape, path: Path) -> Mesh:
    """Return a mesh file's geometry in its part's frame; ROS packages are looked for beside the URDF."""
    inner = shape.file.removeprefix("package://")
    for candidate in (path.parent / inner, path.parent / inner.partition("/")[2]):
        if candidate.is_file() and candidate.resolve().is_relative_to(path.parent.resolve()):
            loaded = trimesh.load(candidate, force="mesh", process=False, skip_materials=True)
            return placed_mesh(Mesh.from_trimesh(loaded), shape)
    raise _lacks(path, f"a mesh {shape.file[:80]!r} that is not beside it", ())


def _joint(part: Part, config: UrdfConfig) -> Joint:
    told = part.link.joint
    assert told is not None
    return Joint(
        name=told.name,
        kind=told.kind,
        parent=part.parent,
        child=part.link.name,
        parent_from_child=part.parent_from_part,
        axis=told.axis,
        lower=(config.lower or {}).get(told.name, told.lower),
        upper=(config.upper or {}).get(told.name, told.upper),
        damping=told.damping,
        friction=told.friction,
    )


def _drive(name: str, home: float, declared: _Declared, config: UrdfConfig, path: Path) -> Drive:
    force = (config.most_force or {}).get(name, declared.efforts.get(name, 0.0))
    speed = (config.most_speed or {}).get(name, declared.speeds.get(name, 0.0))
    if name not in declared.efforts or not (force > 0.0 and speed > 0.0):
        raise _lacks(path, f"no joint {name!r} with effort and velocity", declared.efforts)
    armature = config.finger_armature if name in config.fingers else config.armature
    return Drive(joint=name, most_force=force, most_speed=speed, home=home, armature=armature)


def _lacks(path: Path, what: str, known: Sequence[str] | Mapping[str, Any]) -> CaptureError:
    names = f" It has {', '.join(known)}." if known else ""
    return CaptureError(
        f"{what} in {path.name[:80]!r}",
        expected="a URDF of one robot, its meshes beside it",
        hint=f"Name what it has, or complete it.{names}",
    )
