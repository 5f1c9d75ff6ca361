"""Read anyone's URDF as links, shapes and joints; meshes stay files."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cousins.geometry import Array, rigid, rotation_about
from cousins.importers.articulation import (
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

_KINDS: Final[dict[str, Literal["fixed", "revolute", "prismatic"]]] = {
    "fixed": "fixed",
    "revolute": "revolute",
    "continuous": "revolute",
    "prismatic": "prismatic",
}
_Z: Final = np.array([0.0, 0.0, 1.0])
_Y: Final = np.array([0.0, 1.0, 0.0])
_X: Final = np.array([1.0, 0.0, 0.0])


def read_urdf(path: Path) -> dict[str, ToldLink]:
    """Return the links of a URDF by name, the root first; raises CaptureError on anything that is no tree."""
    robot = root_of(path)
    if robot.tag != "robot":
        raise refused(path, f"<{robot.tag[:40]}> at the top")
    shapes = {_name(link, path): _shapes(link, path) for link in robot.findall("link")}
    if not shapes or sum(len(own) for own in shapes.values()) > MOST_SHAPES:
        raise refused(path, "no link, or far too many shapes")
    links: dict[str, ToldLink] = {}
    for element in robot.findall("joint"):
        child = _end(element, "child", path)
        parent = _end(element, "parent", path)
        if child not in shapes or parent not in shapes or child in links:
            raise refused(path, f"a joint from {parent[:40]!r} to {child[:40]!r}")
        joint, pose = _joint(element, path), _pose(element, path)
        links[child] = ToldLink(name=child, parent=parent, parent_from_link=pose, joint=joint, shapes=shapes[child])
    roots = [name for name in shapes if name not in links]
    if len(roots) != 1:
        raise refused(path, f"{len(roots)} links without a parent")
    root = ToldLink(name=roots[0], parent="", parent_from_link=np.eye(4), joint=None, shapes=shapes[roots[0]])
    return {root.name: root} | links


def _joint(element: ET.Element, path: Path) -> ToldJoint:
    kind = _KINDS.get(element.get("type", ""))
    if kind is None:
        raise refused(path, f"a joint of type {element.get('type', '')[:40]!r}")
    axis = element.find("axis")
    limit, dynamics = element.find("limit"), element.find("dynamics")
    given = {} if limit is None else limit.attrib
    loose = {} if dynamics is None else dynamics.attrib
    around = math.pi if element.get("type") == "continuous" else 0.0
    lower, upper = (number_of(given.get(end), sign * around, path) for end, sign in (("lower", -1), ("upper", 1)))
    if lower > upper:
        raise refused(path, f"limits {lower:g} to {upper:g}")
    return ToldJoint(
        name=_name(element, path),
        kind=kind,
        axis=_X
        if axis is None or kind == "fixed"
        else unit_of(numbers_of(axis.get("xyz"), 3, (1.0, 0.0, 0.0), path), path),
        lower=lower,
        upper=upper,
        damping=max(0.0, number_of(loose.get("damping"), 0.0, path)),
        friction=max(0.0, number_of(loose.get("friction"), 0.0, path)),
    )


def _shapes(link: ET.Element, path: Path) -> tuple[ToldShape, ...]:
    found = []
    for tag in ("visual", "collision"):
        for element in link.findall(tag):
            geometry = element.find("geometry")
            inner = None if geometry is None or not len(geometry) else geometry[0]
            if inner is not None:
                found.append(_shape(inner, _pose(element, path), path, seen=tag == "visual"))
    return tuple(found)


def _shape(inner: ET.Element, pose: Array, path: Path, *, seen: bool) -> ToldShape:
    kind: Literal["box", "cylinder", "sphere", "capsule", "mesh"]
    file = ""
    radius, length = number_of(inner.get("radius"), 0.0, path), number_of(inner.get("length"), 0.0, path)
    if inner.tag == "box":
        kind, size = "box", numbers_of(inner.get("size"), 3, (0.0, 0.0, 0.0), path)
    elif inner.tag in ("cylinder", "capsule"):
        kind = "cylinder" if inner.tag == "cylinder" else "capsule"
        size = np.array([2.0 * radius, 2.0 * radius, length])
    elif inner.tag == "sphere":
        kind, size = "sphere", np.full(3, 2.0 * radius)
    elif inner.tag == "mesh":
        kind, file = "mesh", inner.get("filename", "").removeprefix("file://")
        size = numbers_of(inner.get("scale"), 3, (1.0, 1.0, 1.0), path)
    else:
        raise refused(path, f"a shape <{inner.tag[:40]}>")
    x, y, z = size.tolist()
    return ToldShape(kind=kind, link_from_shape=pose, size_m=(x, y, z), file=file, seen=seen, collides=not seen)


def _pose(element: ET.Element, path: Path) -> Array:
    origin = element.find("origin")
    given = {} if origin is None else origin.attrib
    roll, pitch, yaw = numbers_of(given.get("rpy"), 3, (0.0, 0.0, 0.0), path)
    turn = rotation_about(_Z, yaw) @ rotation_about(_Y, pitch) @ rotation_about(_X, roll)
    return rigid(turn, numbers_of(given.get("xyz"), 3, (0.0, 0.0, 0.0), path))


def _end(joint: ET.Element, which: str, path: Path) -> str:
    element = joint.find(which)
    name = None if element is None else element.get("link")
    if not name:
        raise refused(path, f"a joint without {which}")
    return name


def _name(element: ET.Element, path: Path) -> str:
    name = element.get("name")
    if not name or len(name) > 200:
        raise refused(path, f"a {element.tag[:40]} without a name")
    return name
