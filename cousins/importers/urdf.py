"""Read anyone's URDF as links, shapes and joints; meshes stay files."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cousins.geometry import Array, rigid, rotation_about
from cousins.importers.articulation import (
    MAX_SHAPES,
    JointSpec,
    LinkSpec,
    ShapeSpec,
    description_error,
    parse_number,
    parse_numbers,
    read_xml,
    unit_axis,
)

_JOINT_KINDS: Final[dict[str, Literal["fixed", "revolute", "prismatic"]]] = {
    "fixed": "fixed",
    "revolute": "revolute",
    "continuous": "revolute",
    "prismatic": "prismatic",
}
_Z_AXIS: Final = np.array([0.0, 0.0, 1.0])
_Y_AXIS: Final = np.array([0.0, 1.0, 0.0])
_X_AXIS: Final = np.array([1.0, 0.0, 0.0])


def read_urdf(path: Path) -> dict[str, LinkSpec]:
    """Return the links of a URDF by name, the root first; raises CaptureError on anything that is no tree."""
    robot = read_xml(path)
    if robot.tag != "robot":
        raise description_error(path, f"<{robot.tag[:40]}> at the top")
    shapes = {_name(link, path): _shapes(link, path) for link in robot.findall("link")}
    count = sum(len(link_shapes) for link_shapes in shapes.values())
    if not shapes or count > MAX_SHAPES:
        raise description_error(path, f"{count} shapes, more than {MAX_SHAPES}" if shapes else "no link")
    links: dict[str, LinkSpec] = {}
    for element in robot.findall("joint"):
        child = _linked_name(element, "child", path)
        parent = _linked_name(element, "parent", path)
        if child not in shapes or parent not in shapes or child in links:
            raise description_error(path, f"a joint from {parent[:40]!r} to {child[:40]!r}")
        joint, pose = _joint(element, path), _pose(element, path)
        links[child] = LinkSpec(name=child, parent=parent, parent_from_link=pose, joint=joint, shapes=shapes[child])
    roots = [name for name in shapes if name not in links]
    if len(roots) != 1:
        raise description_error(path, f"{len(roots)} links without a parent")
    root = LinkSpec(name=roots[0], parent="", parent_from_link=np.eye(4), joint=None, shapes=shapes[roots[0]])
    return {root.name: root} | links


def _joint(element: ET.Element, path: Path) -> JointSpec:
    kind = _JOINT_KINDS.get(element.get("type", ""))
    if kind is None:
        raise description_error(path, f"a joint of type {element.get('type', '')[:40]!r}")
    axis = element.find("axis")
    limit, dynamics = element.find("limit"), element.find("dynamics")
    limits = {} if limit is None else limit.attrib
    dynamics_attributes = {} if dynamics is None else dynamics.attrib
    default_limit = math.pi if element.get("type") == "continuous" else 0.0
    lower, upper = (
        parse_number(limits.get(end), sign * default_limit, path) for end, sign in (("lower", -1), ("upper", 1))
    )
    if lower > upper:
        raise description_error(path, f"limits {lower:g} to {upper:g}")
    return JointSpec(
        name=_name(element, path),
        kind=kind,
        axis=_X_AXIS
        if axis is None or kind == "fixed"
        else unit_axis(parse_numbers(axis.get("xyz"), 3, (1.0, 0.0, 0.0), path), path),
        lower=lower,
        upper=upper,
        damping=max(0.0, parse_number(dynamics_attributes.get("damping"), 0.0, path)),
        friction=max(0.0, parse_number(dynamics_attributes.get("friction"), 0.0, path)),
    )


def _shapes(link: ET.Element, path: Path) -> tuple[ShapeSpec, ...]:
    shapes = []
    for tag in ("visual", "collision"):
        for element in link.findall(tag):
            geometry = element.find("geometry")
            inner = None if geometry is None or not len(geometry) else geometry[0]
            if inner is not None:
                shapes.append(_shape(inner, _pose(element, path), path, is_visual=tag == "visual"))
    return tuple(shapes)


def _shape(inner: ET.Element, pose: Array, path: Path, *, is_visual: bool) -> ShapeSpec:
    kind: Literal["box", "cylinder", "sphere", "capsule", "mesh"]
    file = ""
    radius, length = parse_number(inner.get("radius"), 0.0, path), parse_number(inner.get("length"), 0.0, path)
    if inner.tag == "box":
        kind, size = "box", parse_numbers(inner.get("size"), 3, (0.0, 0.0, 0.0), path)
    elif inner.tag in ("cylinder", "capsule"):
        kind = "cylinder" if inner.tag == "cylinder" else "capsule"
        size = np.array([2.0 * radius, 2.0 * radius, length])
    elif inner.tag == "sphere":
        kind, size = "sphere", np.full(3, 2.0 * radius)
    elif inner.tag == "mesh":
        kind, file = "mesh", inner.get("filename", "").removeprefix("file://")
        size = parse_numbers(inner.get("scale"), 3, (1.0, 1.0, 1.0), path)
    else:
        raise description_error(path, f"a shape <{inner.tag[:40]}>")
    x, y, z = size.tolist()
    return ShapeSpec(
        kind=kind, link_from_shape=pose, size_m=(x, y, z), file=file, is_visual=is_visual, is_collision=not is_visual
    )


def _pose(element: ET.Element, path: Path) -> Array:
    origin = element.find("origin")
    attributes = {} if origin is None else origin.attrib
    roll, pitch, yaw = parse_numbers(attributes.get("rpy"), 3, (0.0, 0.0, 0.0), path)
    rotation = rotation_about(_Z_AXIS, yaw) @ rotation_about(_Y_AXIS, pitch) @ rotation_about(_X_AXIS, roll)
    return rigid(rotation, parse_numbers(attributes.get("xyz"), 3, (0.0, 0.0, 0.0), path))


def _linked_name(joint: ET.Element, role: str, path: Path) -> str:
    element = joint.find(role)
    name = None if element is None else element.get("link")
    if not name:
        raise description_error(path, f"a joint without {role}")
    return name


def _name(element: ET.Element, path: Path) -> str:
    name = element.get("name")
    if not name or len(name) > 200:
        raise description_error(path, f"a {element.tag[:40]} without a name")
    return name
