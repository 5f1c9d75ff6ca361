"""Read anyone's MJCF as links, shapes and joints; meshes stay files.

What is read: bodies, hinge and slide joints (one a body), primitive and mesh geoms, default classes, the compiler's
angle, euler order and mesh folder, included files inside the folder. What is refused: bodies with several joints, and
several bodies in the world.
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
    MAX_NESTING,
    MAX_SHAPES,
    JointSpec,
    LinkSpec,
    ShapeSpec,
    description_error,
    parse_number,
    parse_numbers,
    unit_axis,
)
from cousins.importers.mjcf_includes import read_with_includes

_JOINT_KINDS: Final[dict[str, Literal["revolute", "prismatic"]]] = {"hinge": "revolute", "slide": "prismatic"}
_SHAPE_KINDS: Final[dict[str, Literal["box", "cylinder", "sphere", "capsule", "mesh"]]] = {
    "box": "box",
    "cylinder": "cylinder",
    "sphere": "sphere",
    "capsule": "capsule",
    "mesh": "mesh",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Settings:
    """Settings that apply to the whole file."""

    path: Path
    degrees: bool
    order: str
    meshes: dict[str, tuple[str, Array]]
    defaults: dict[str, dict[str, dict[str, str]]]

    def attributes_of(self, element: ET.Element, default_class: str) -> dict[str, str]:
        """Return an element's attributes over those of its default class."""
        base = self.defaults.get(element.get("class", default_class), self.defaults[""]).get(element.tag, {})
        return {**base, **element.attrib}

    def angle(self, value: float) -> float:
        """Return an angle of the file [rad]."""
        return math.radians(value) if self.degrees else value


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _BodyContext:
    """Parent, default class and nesting depth of a body."""

    parent: str
    default_class: str
    joint_offset: Array
    depth: int


def read_mjcf(path: Path, *, root: Path | None = None) -> dict[str, LinkSpec]:
    """Return the links of an MJCF by name, the root first; raises CaptureError on what is not one jointed thing.

    It may include files inside `root`, its own folder where None.
    """
    top, _ = read_with_includes(path, root or path.parent)
    if top.tag != "mujoco":
        raise description_error(path, f"<{top.tag[:40]}> at the top")
    settings = _read_settings(top, path)
    links: dict[str, LinkSpec] = {}
    bodies = top.findall("worldbody/body")
    if len(bodies) != 1:
        names = ", ".join(repr(body.get("name", "")[:40]) for body in bodies[:5])
        raise description_error(
            path,
            f"{len(bodies)} bodies in the world{': ' if names else ''}{names}",
            hint="A file holds one thing: give each body of the world an MJCF of its own.",
        )
    _add_body(bodies[0], _BodyContext(parent="", default_class="", joint_offset=np.zeros(3), depth=0), settings, links)
    if sum(len(link.shapes) for link in links.values()) > MAX_SHAPES:
        raise description_error(path, "far too many shapes")
    return links


def _add_body(body: ET.Element, context: _BodyContext, settings: _Settings, links: dict[str, LinkSpec]) -> None:
    """Add a body and all below it; its frame is moved onto the axis of its joint."""
    if context.depth > MAX_NESTING:
        raise description_error(settings.path, f"bodies nested deeper than {MAX_NESTING}")
    name = body.get("name") or f"body_{len(links)}"
    if name in links:
        raise description_error(settings.path, f"two bodies named {name[:40]!r}")
    default_class = body.get("childclass", context.default_class)
    moving = [
        element
        for element in body.findall("joint")
        if settings.attributes_of(element, default_class).get("type", "hinge") != "free"
    ]
    if len(moving) > 1 or (moving and not context.parent):
        raise description_error(settings.path, f"{len(moving)} joints at body {name[:40]!r}")
    joint, pivot = _joint(moving[0], default_class, settings, len(links)) if moving else (None, np.zeros(3))
    shapes_or_none = [_shape(geom, default_class, settings, -pivot) for geom in body.findall("geom")]
    parent_from_body = _pose(body.attrib, settings)
    pose = (
        rigid(translation=context.joint_offset) @ parent_from_body @ rigid(translation=pivot)
        if context.parent
        else rigid(parent_from_body[:3, :3])
    )
    shapes = tuple(shape for shape in shapes_or_none if shape is not None)
    links[name] = LinkSpec(name=name, parent=context.parent, parent_from_link=pose, joint=joint, shapes=shapes)
    for child in body.findall("body"):
        _add_body(
            child,
            _BodyContext(parent=name, default_class=default_class, joint_offset=-pivot, depth=context.depth + 1),
            settings,
            links,
        )


def _joint(element: ET.Element, default_class: str, settings: _Settings, number: int) -> tuple[JointSpec, Array]:
    """Return a joint and where its axis runs, in its body's frame [m] [3]."""
    attributes, path = settings.attributes_of(element, default_class), settings.path
    kind = _JOINT_KINDS.get(attributes.get("type", "hinge"))
    if kind is None:
        raise description_error(path, f"a joint of type {attributes['type'][:40]!r}")
    limited = attributes.get("limited", "auto") == "true" or (
        attributes.get("limited", "auto") == "auto" and "range" in attributes
    )
    low, high = parse_numbers(attributes.get("range") if limited else None, 2, (0.0, 0.0), path).tolist()
    if kind == "revolute":
        low, high = (settings.angle(low), settings.angle(high)) if limited else (-math.pi, math.pi)
    if low > high:
        raise description_error(path, f"limits {low:g} to {high:g}")
    joint = JointSpec(
        name=element.get("name") or f"joint_{number}",
        kind=kind,
        axis=unit_axis(parse_numbers(attributes.get("axis"), 3, (0.0, 0.0, 1.0), path), path),
        lower=low,
        upper=high,
        damping=max(0.0, parse_number((attributes.get("damping") or "0").split()[0], 0.0, path)),
        friction=max(0.0, parse_number(attributes.get("frictionloss"), 0.0, path)),
    )
    return joint, parse_numbers(attributes.get("pos"), 3, (0.0, 0.0, 0.0), path)


def _shape(geom: ET.Element, default_class: str, settings: _Settings, offset: Array) -> ShapeSpec | None:
    """Return a geom in its link's frame; None for planes and height fields, which belong to no thing."""
    attributes, path = settings.attributes_of(geom, default_class), settings.path
    type_name = attributes.get("type", "mesh" if "mesh" in attributes else "sphere")
    kind = _SHAPE_KINDS.get(type_name)
    if kind is None:
        return None
    pose = rigid(translation=offset) @ _pose(attributes, settings)
    if kind == "mesh":
        if attributes.get("mesh", "") not in settings.meshes:
            raise description_error(path, f"no mesh {attributes.get('mesh', '')[:40]!r}")
        file, scale = settings.meshes[attributes["mesh"]]
        size = scale
    else:
        file, size = "", _extents(kind, attributes, path)
        if "fromto" in attributes:
            raise description_error(path, "a shape told from one end to the other")
    is_collision = attributes.get("contype", "1") != "0" or attributes.get("conaffinity", "1") != "0"
    x, y, z = size.tolist()
    return ShapeSpec(
        kind=kind,
        link_from_shape=pose,
        size_m=(x, y, z),
        file=file,
        is_visual=not is_collision or kind == "mesh",
        is_collision=is_collision,
    )


def _extents(kind: str, attributes: dict[str, str], path: Path) -> Array:
    """Return full extents [m] [3] of a primitive, whose sizes MJCF halves."""
    half_sizes = parse_numbers(attributes.get("size"), len((attributes.get("size") or "").split()), (), path)
    count_needed = {"sphere": 1, "box": 3}.get(kind, 2)
    if len(half_sizes) < count_needed:
        raise description_error(path, f"a {kind} without its size")
    if kind == "box":
        return 2.0 * half_sizes[:3]
    height = half_sizes[0] if kind == "sphere" else half_sizes[1]
    return 2.0 * np.array([half_sizes[0], half_sizes[0], height])


def _pose(attributes: dict[str, str], settings: _Settings) -> Array:
    position = parse_numbers(attributes.get("pos"), 3, (0.0, 0.0, 0.0), settings.path)
    if "quat" in attributes:
        quat = parse_numbers(attributes["quat"], 4, (), settings.path)
        if float(np.linalg.norm(quat)) < 1e-9:
            raise description_error(settings.path, "a quaternion of length 0")
        return rigid(rotation_from_quat_wxyz(quat), position)
    if "axisangle" in attributes:
        x, y, z, angle = parse_numbers(attributes["axisangle"], 4, (), settings.path)
        return rigid(rotation_about(unit_axis(np.array([x, y, z]), settings.path), settings.angle(angle)), position)
    if "xyaxes" in attributes or "zaxis" in attributes:
        raise description_error(settings.path, "an orientation told by axes")
    rotation = np.eye(3)
    for axis, value in zip(
        settings.order, parse_numbers(attributes.get("euler"), 3, (0.0, 0.0, 0.0), settings.path), strict=True
    ):
        step = rotation_about(np.eye(3)["xyz".index(axis.lower())], settings.angle(float(value)))
        rotation = rotation @ step if axis.islower() else step @ rotation
    return rigid(rotation, position)


def _read_settings(top: ET.Element, path: Path) -> _Settings:
    compiler: dict[str, str] = {}
    for element in top.findall("compiler"):
        compiler |= element.attrib
    order = compiler.get("eulerseq", "xyz")
    if len(order) != 3 or not set(order.lower()) <= set("xyz"):
        raise description_error(path, f"the euler order {order[:40]!r}")
    folder = compiler.get("meshdir", compiler.get("assetdir", ""))
    meshes = {}
    for element in top.findall("asset/mesh"):
        file = element.get("file", "")
        name = element.get("name") or PurePosixPath(file).stem
        meshes[name] = (
            str(PurePosixPath(folder) / file),
            parse_numbers(element.get("scale"), 3, (1.0, 1.0, 1.0), path),
        )
    defaults: dict[str, dict[str, dict[str, str]]] = {"": {}}
    for element in top.findall("default"):
        _add_default_classes(element, defaults[""], defaults, path, 0)
    return _Settings(
        path=path,
        degrees=compiler.get("angle", "degree") == "degree",
        order=order,
        meshes=meshes,
        defaults=defaults,
    )


def _add_default_classes(
    element: ET.Element,
    inherited: dict[str, dict[str, str]],
    classes: dict[str, dict[str, dict[str, str]]],
    path: Path,
    depth: int,
) -> None:
    """Add a default class and those inside it; each inherits from the one around it."""
    if depth > MAX_NESTING:
        raise description_error(path, f"default classes nested deeper than {MAX_NESTING}")
    class_defaults = {tag: dict(attributes) for tag, attributes in inherited.items()}
    for inner in element:
        if inner.tag != "default":
            class_defaults[inner.tag] = {**class_defaults.get(inner.tag, {}), **inner.attrib}
    classes["" if depth == 0 else element.get("class", "")] = class_defaults
    for inner in element.findall("default"):
        _add_default_classes(inner, class_defaults, classes, path, depth + 1)
