"""Articulated objects as URDF and MJCF describe them: links with shapes, and the joints between them."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cousins.errors import CaptureError
from cousins.geometry import Array

DESCRIPTION_SUFFIXES: Final = (".urdf", ".xml")
"""Kinds of file that describe a thing by its links."""
MAX_DESCRIPTION_BYTES: Final = 4 << 20
"""Largest description that is read [bytes]."""
MAX_NESTING: Final = 64
"""Deepest nesting of links."""
MAX_SHAPES: Final = 600
"""Most shapes of one description: each becomes a piece that is united with the others and collides in every engine."""
MAX_ABS_NUMBER: Final = 1e4
"""Largest number that is believed in a description."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ShapeSpec:
    """A shape of a link."""

    kind: Literal["box", "cylinder", "sphere", "capsule", "mesh"]
    """Primitive, or a mesh file."""
    link_from_shape: Array
    """Pose of its middle, float64 [4, 4]; cylinders and capsules stand along z."""
    size_m: tuple[float, float, float]
    """Full extents of a primitive [m], the caps of a capsule left out of its height; the scale of a mesh."""
    file: str
    """Mesh file, relative to the description; empty for a primitive."""
    is_visual: bool
    """Whether it is rendered."""
    is_collision: bool
    """Whether it collides."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JointSpec:
    """How a link moves against its parent; its axis runs through the link's origin."""

    name: str
    """Its name."""
    kind: Literal["fixed", "revolute", "prismatic"]
    """Type of motion."""
    axis: Array
    """Unit axis in the link's frame, float64 [3]."""
    lower: float
    """Lower limit [rad] or [m]."""
    upper: float
    """Upper limit [rad] or [m]."""
    damping: float
    """Viscous damping."""
    friction: float
    """Dry friction."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LinkSpec:
    """A link of a description."""

    name: str
    """Its name."""
    parent: str
    """Name of its parent; empty for the root."""
    parent_from_link: Array
    """Its pose with the joint at 0, float64 [4, 4]."""
    joint: JointSpec | None
    """Its joint; None for the root and for what is part of its parent."""
    shapes: tuple[ShapeSpec, ...]
    """Its shapes."""


def read_xml(path: Path) -> ET.Element:
    """Return the root of an XML file; raises CaptureError for what is none, too large, or declares entities."""
    if path.stat().st_size > MAX_DESCRIPTION_BYTES:
        raise description_error(path, f"larger than {MAX_DESCRIPTION_BYTES >> 20} MB")
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise description_error(path, "a document type of its own")
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError, RecursionError) as error:
        raise description_error(path, f"no XML ({error})") from error


def parse_numbers(text: str | None, count: int, default: tuple[float, ...], path: Path) -> Array:
    """Return `count` finite numbers of an attribute, float64 [count]; raises CaptureError."""
    if text is None:
        return np.array(default, dtype=np.float64)
    try:
        values = [float(word) for word in text.split()]
    except ValueError as error:
        raise description_error(path, f"{text[:40]!r} where numbers belong") from error
    if len(values) != count or not all(math.isfinite(value) and abs(value) <= MAX_ABS_NUMBER for value in values):
        raise description_error(path, f"{text[:40]!r} where {count} numbers belong")
    return np.array(values)


def parse_number(text: str | None, default: float, path: Path) -> float:
    """Return one finite number of an attribute."""
    return float(parse_numbers(text, 1, (default,), path)[0])


def unit_axis(axis: Array, path: Path) -> Array:
    """Return a vector [3] scaled to length 1; raises CaptureError for length 0."""
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        raise description_error(path, "an axis of length 0")
    return np.asarray(axis / length)


def links_below(links: dict[str, LinkSpec], root: str) -> Iterator[LinkSpec]:
    """Yield a link and all its descendants, parents first."""
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        yield links[name]
        waiting += [link.name for link in links.values() if link.parent == name]


def mesh_file(path: Path, file: str, root: Path) -> Path | None:
    """Return the file that a description at `path` names; None where none such lies inside `root`.

    `package://NAME/` stands for a folder above the description, as ROS has it.
    """
    inner = re.sub(r"^package://", "", file.replace("\\", "/"))
    names = [inner.partition("/")[2], inner] if file.startswith("package://") else [inner]
    root = root.resolve()
    folders = [path.parent.resolve()]
    if file.startswith("package://"):
        folders += [folder for folder in folders[0].parents if folder.is_relative_to(root)]
    for folder in folders:
        for name in filter(None, names):
            target = (folder / name).resolve()
            if target.is_relative_to(root) and target.is_file():
                return target
    return None


def description_error(path: Path, problem: str, *, hint: str | None = None) -> CaptureError:
    """Return the error about an invalid description."""
    return CaptureError(
        f"{problem} in {path.name[:80]!r}",
        expected="a URDF or MJCF of one thing, its meshes inside the folder",
        hint=hint or "Correct it, or leave it out of the folder.",
    )
