"""Read anyone's MJCF as links, shapes and joints; meshes stay files.

What is read: bodies, hinge and slide joints (one a body), primitive and mesh geoms, default classes, the compiler's
angle, euler order and mesh folder. What is refused: includes, and bodies with several joints.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import numpy as np

from cousins.geometry import Array, rigid, rotation_about, rotation_from_quat_wxyz
from cousins.importers.articulation import (
    MOST_DEPTH,
    MOST_SHAPES,
    ToldJoint,
    ToldLink,
    ToldShape,
    number_of,
    numbers_of,
    refused,
    root_of,
    unit_of,
)

_JOINTS: Final[dict[str, Literal["revolute", "prismatic"]]] = {"hinge": "revolute", "slide": "prismatic"}
_SHAPES: Final[dict[str, Literal["box", "cylinder", "sphere", "capsule", "mesh"]]] = {
    "box": "box",
    "cylinder": "cylinder",
    "sphere": "sphere",
    "capsule": "capsule",
    "mesh": "mesh",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Book:
    """What a file says once for all."""

    path: Path
    degrees: bool
    order: str
    meshes: dict[str, tuple[str, Array]]
    defaults: dict[str, dict[str, dict[str, str]]]

    def filled(self, element: ET.Element, given: str) -> dict[str, str]:
        """Return an element's attributes over those of its default class."""
        base = self.defaults.get(element.get("class", given), self.defaults[""]).get(element.tag, {})
        return {**base, **element.attrib}

    def angle(self, value: float) -> float:
        """Return an angle of the file [rad]."""
        return math.radians(value) if self.degrees else value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Place:
    """Where a body hangs."""

    parent: str
    given: str
    shift: Array
    depth: int


def read_mjcf(path: Path) -> dict[str, ToldLink]:
    """Return the links of an MJCF by name, the root first; raises CaptureError on what is not one jointed thing."""
    top = root_of(path)
    if top.tag != "mujoco" or top.find(".//include") is not None:
        raise refused(path, f"<{top.tag[:40]}> at the top, or includes")
    book = _book(top, path)
    links: dict[str, ToldLink] = {}
    world = top.find("worldbody")
    bodies = [] if world is None else world.findall("body")
    if len(bodies) != 1:
        raise refused(path, f"{len(bodies)} bodies in the world")
    _walk(bodies[0], _Place(parent="", given="", shift=np.zeros(3), depth=0), book, links)
    if sum(len(link.shapes) for link in links.values()) > MOST_SHAPES:
        raise refused(path, "far too many shapes")
    return links


def _walk(body: ET.Element, at: _Place, book: _Book, links: dict[str, ToldLink]) -> None:
    """Add a body and all below it; its frame is moved onto the axis of its joint."""
    if at.depth > MOST_DEPTH:
        raise refused(book.path, f"bodies nested deeper than {MOST_DEPTH}")
    name = body.get("name") or f"body_{len(links)}"
    if name in links:
        raise refused(book.path, f"two bodies named {name[:40]!r}")
    given = body.get("childclass", at.given)
    moving = [one for one in body.findall("joint") if book.filled(one, given).get("type", "hinge") != "free"]
    if len(moving) > 1 or (moving and not at.parent):
        raise refused(book.path, f"{len(moving)} joints at body {name[:40]!r}")
    joint, pivot = _joint(moving[0], given, book, len(links)) if moving else (None, np.zeros(3))
    found = [_shape(geom, given, book, -pivot) for geom in body.findall("geom")]
    own = _pose(body.attrib, book)
    pose = rigid(translation=at.shift) @ own @ rigid(translation=pivot) if at.parent else rigid(own[:3, :3])
    shapes = tuple(shape for shape in found if shape is not None)
    links[name] = ToldLink(name=name, parent=at.parent, parent_from_link=pose, joint=joint, shapes=shapes)
    for child in body.findall("body"):
        _walk(child, _Place(parent=name, given=given, shift=-pivot, depth=at.depth + 1), book, links)


def _joint(element: ET.Element, given: str, book: _Book, number: int) -> tuple[ToldJoint, Array]:
    """Return a joint and where its axis runs, in its body's frame [m] [3]."""
    told, path = book.filled(element, given), book.path
    kind = _JOINTS.get(told.get("type", "hinge"))
    if kind is None:
        raise refused(path, f"a joint of type {told['type'][:40]!r}")
    limited = told.get("limited", "auto") == "true" or (told.get("limited", "auto") == "auto" and "range" in told)
    low, high = numbers_of(told.get("range") if limited else None, 2, (0.0, 0.0), path).tolist()
    if kind == "revolute":
        low, high = (book.angle(low), book.angle(high)) if limited else (-math.pi, math.pi)
    if low > high:
        raise refused(path, f"limits {low:g} to {high:g}")
    joint = ToldJoint(
        name=element.get("name") or f"joint_{number}",
        kind=kind,
        axis=unit_of(numbers_of(told.get("axis"), 3, (0.0, 0.0, 1.0), path), path),
        lower=low,
        upper=high,
        damping=max(0.0, number_of((told.get("damping") or "0").split()[0], 0.0, path)),
        friction=max(0.0, number_of(told.get("frictionloss"), 0.0, path)),
    )
    return joint, numbers_of(told.get("pos"), 3, (0.0, 0.0, 0.0), path)


def _shape(geom: ET.Element, given: str, book: _Book, shift: Array) -> ToldShape | None:
    """Return a geom in its link's frame; None for planes and height fields, which belong to no thing."""
    told, path = book.filled(geom, given), book.path
    named = told.get("type", "mesh" if "mesh" in told else "sphere")
    kind = _SHAPES.get(named)
    if kind is None:
        return None
    pose = rigid(translation=shift) @ _pose(told, book)
    if kind == "mesh":
        if told.get("mesh", "") not in book.meshes:
            raise refused(path, f"no mesh {told.get('mesh', '')[:40]!r}")
        file, scale = book.meshes[told["mesh"]]
        size = scale
    else:
        file, size = "", _extents(kind, told, path)
        if "fromto" in told:
            raise refused(path, "a shape told from one end to the other")
    touched = told.get("contype", "1") != "0" or told.get("conaffinity", "1") != "0"
    x, y, z = size.tolist()
    return ToldShape(
        kind=kind,
        link_from_shape=pose,
        size_m=(x, y, z),
        file=file,
        seen=not touched or kind == "mesh",
        collides=touched,
    )


def _extents(kind: str, told: dict[str, str], path: Path) -> Array:
    """Return full extents [m] [3] of a primitive, whose sizes MJCF halves."""
    halves = numbers_of(told.get("size"), len((told.get("size") or "").split()), (), path)
    needed = {"sphere": 1, "box": 3}.get(kind, 2)
    if len(halves) < needed:
        raise refused(path, f"a {kind} without its size")
    if kind == "box":
        return 2.0 * halves[:3]
    height = halves[0] if kind == "sphere" else halves[1]
    return 2.0 * np.array([halves[0], halves[0], height])


def _pose(told: dict[str, str], book: _Book) -> Array:
    place = numbers_of(told.get("pos"), 3, (0.0, 0.0, 0.0), book.path)
    if "quat" in told:
        quat = numbers_of(told["quat"], 4, (), book.path)
        if float(np.linalg.norm(quat)) < 1e-9:
            raise refused(book.path, "a quaternion of length 0")
        return rigid(rotation_from_quat_wxyz(quat), place)
    if "axisangle" in told:
        x, y, z, angle = numbers_of(told["axisangle"], 4, (), book.path)
        return rigid(rotation_about(unit_of(np.array([x, y, z]), book.path), book.angle(angle)), place)
    if "xyaxes" in told or "zaxis" in told:
        raise refused(book.path, "an orientation told by axes")
    turn = np.eye(3)
    for axis, value in zip(book.order, numbers_of(told.get("euler"), 3, (0.0, 0.0, 0.0), book.path), strict=True):
        step = rotation_about(np.eye(3)["xyz".index(axis.lower())], book.angle(float(value)))
        turn = turn @ step if axis.islower() else step @ turn
    return rigid(turn, place)


def _book(top: ET.Element, path: Path) -> _Book:
    compiler: dict[str, str] = {}
    for element in top.findall("compiler"):
        compiler |= element.attrib
    order = compiler.get("eulerseq", "xyz")
    if len(order) != 3 or not set(order.lower()) <= set("xyz"):
        raise refused(path, f"the euler order {order[:40]!r}")
    folder = compiler.get("meshdir", compiler.get("assetdir", ""))
    meshes = {}
    for element in top.findall("asset/mesh"):
        file = element.get("file", "")
        name = element.get("name") or PurePosixPath(file).stem
        meshes[name] = (str(PurePosixPath(folder) / file), numbers_of(element.get("scale"), 3, (1.0, 1.0, 1.0), path))
    defaults: dict[str, dict[str, dict[str, str]]] = {"": {}}
    for element in top.findall("default"):
        _classes(element, {}, defaults, path, 0)
    return _Book(
        path=path,
        degrees=compiler.get("angle", "degree") == "degree",
        order=order,
        meshes=meshes,
        defaults=defaults,
    )


def _classes(
    element: ET.Element,
    above: dict[str, dict[str, str]],
    found: dict[str, dict[str, dict[str, str]]],
    path: Path,
    depth: int,
) -> None:
    """Add a default class and those inside it; each inherits from the one around it."""
    if depth > MOST_DEPTH:
        raise refused(path, f"default classes nested deeper than {MOST_DEPTH}")
    own = {tag: dict(told) for tag, told in above.items()}
    for inner in element:
        if inner.tag != "default":
            own[inner.tag] = {**own.get(inner.tag, {}), **inner.attrib}
    found["" if depth == 0 else element.get("class", "")] = own
    for inner in element.findall("default"):
        _classes(inner, own, found, path, depth + 1)
