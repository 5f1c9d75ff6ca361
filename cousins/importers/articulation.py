"""Jointed things as URDF and MJCF tell them: links with their shapes, and the joints between them."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from cousins.errors import CaptureError
from cousins.geometry import Array

MOST_BYTES: Final = 4 << 20
"""Largest description that is read [bytes]."""
MOST_DEPTH: Final = 64
"""Deepest nesting of links."""
MOST_SHAPES: Final = 2000
"""Most shapes of one thing."""
FARTHEST: Final = 1e4
"""Largest number that is believed in a description."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ToldShape:
    """A shape of a link."""

    kind: Literal["box", "cylinder", "sphere", "capsule", "mesh"]
    """Primitive, or a mesh file."""
    link_from_shape: Array
    """Pose of its middle, float64 [4, 4]; cylinders and capsules stand along z."""
    size_m: tuple[float, float, float]
    """Full extents of a primitive [m], the caps of a capsule left out of its height; the scale of a mesh."""
    file: str
    """Mesh file, relative to the description; empty for a primitive."""
    seen: bool
    """Whether it is there to be looked at."""
    collides: bool
    """Whether it is there to be touched."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ToldJoint:
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
class ToldLink:
    """A link of a description."""

    name: str
    """Its name."""
    parent: str
    """Name of its parent; empty for the root."""
    parent_from_link: Array
    """Its pose with the joint at 0, float64 [4, 4]."""
    joint: ToldJoint | None
    """Its joint; None for the root and for what is part of its parent."""
    shapes: tuple[ToldShape, ...]
    """What it is made of."""


def root_of(path: Path) -> ET.Element:
    """Return the root of an XML file; raises CaptureError for what is none, too large, or declares entities."""
    if path.stat().st_size > MOST_BYTES:
        raise refused(path, f"larger than {MOST_BYTES >> 20} MB")
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise refused(path, "a document type of its own")
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError, RecursionError) as error:
        raise refused(path, f"no XML ({error})") from error


def numbers_of(text: str | None, count: int, default: tuple[float, ...], path: Path) -> Array:
    """Return `count` finite numbers of an attribute, float64 [count]; raises CaptureError."""
    if text is None:
        return np.array(default, dtype=np.float64)
    try:
        values = [float(word) for word in text.split()]
    except ValueError as error:
        raise refused(path, f"{text[:40]!r} where numbers belong") from error
    if len(values) != count or not all(math.isfinite(value) and abs(value) <= FARTHEST for value in values):
        raise refused(path, f"{text[:40]!r} where {count} numbers belong")
    return np.array(values)


def number_of(text: str | None, default: float, path: Path) -> float:
    """Return one finite number of an attribute."""
    return float(numbers_of(text, 1, (default,), path)[0])


def unit_of(axis: Array, path: Path) -> Array:
    """Return an axis of length 1; raises CaptureError for one of length 0."""
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        raise refused(path, "an axis of length 0")
    return np.asarray(axis / length)


def links_below(links: dict[str, ToldLink], root: str) -> Iterator[ToldLink]:
    """Yield a link and all that hang on it, parents first."""
    waiting = [root]
    while waiting:
        name = waiting.pop(0)
        yield links[name]
        waiting += [one.name for one in links.values() if one.parent == name]


def refused(path: Path, found: str) -> CaptureError:
    """Return the error that tells what is wrong with a description."""
    return CaptureError(
        f"{found} in {path.name[:80]!r}",
        expected="a URDF or MJCF of one thing, its meshes beside it",
        hint="Flatten it first: no includes, plugins or attachments.",
    )
