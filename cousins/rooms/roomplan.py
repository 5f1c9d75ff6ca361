"""Apple RoomPlan's JSON (CapturedRoom, CapturedStructure): typed surfaces and boxes, y up, matrices by columns.

A surface is flat: `dimensions` [w, h, 0], `transform` 16 numbers (columns: width, up, normal, centre), and
`polygonCorners` in its own plane where it is no rectangle. A floor's own y lies in the floor. An object is a box
centred on its transform. Kinds come as objects with one key (`{"door": {"isOpen": false}}`) or as bare texts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from cousins.capture.decoders import parsing
from cousins.capture.formats.arkit import Z_UP_FROM_Y_UP
from cousins.errors import CaptureError
from cousins.geometry import Array
from cousins.rooms.room import Confidence, Furniture, Panel, PanelKind, Room

SURFACE_KINDS: Mapping[str, PanelKind] = {
    "walls": "wall",
    "floors": "floor",
    "doors": "door",
    "windows": "window",
    "openings": "opening",
}
"""RoomPlan's lists of surfaces."""
CONFIDENCES: Mapping[str, Confidence] = {"low": "low", "medium": "medium", "high": "high"}
"""Confidence by RoomPlan's word for it."""
MAX_SURFACES = 5_000
"""Most surfaces or objects of one kind: a large building has hundreds."""
MAX_CORNERS = 10_000
"""Most corners of a surface."""
MAX_SIDE_M = 1_000.0
"""Longest side that is believed [m]."""
MIN_SIDE_M = 1e-3
"""A surface or box below this size is nothing [m]."""
UNNAMED = "object"
"""Category of a box to which the scan gives none."""
BOX_FROM_LOCAL = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""RoomPlan's boxes have y up; ours z."""


def is_roomplan(record: Any) -> bool:
    """Return whether parsed JSON looks like a RoomPlan export."""
    return isinstance(record, dict) and isinstance(record.get("walls"), list) and "objects" in record


def read_roomplan(data: bytes, *, name: str) -> Room:
    """Return the room of a RoomPlan JSON file; raises CaptureError where it is none or damaged."""
    record = parsing.parse_json(data, context=name)
    if not is_roomplan(record):
        raise CaptureError(
            f"{name} without RoomPlan's lists of walls and objects",
            expected="the JSON that RoomPlan's CapturedRoom encodes to",
            hint="Export the room with `JSONEncoder().encode(capturedRoom)`, or pass the USDZ of the same scan.",
        )
    skipped: Counter[str] = Counter()
    named = _names(record)
    panels = [panel for key, kind in SURFACE_KINDS.items() for panel in _panels(record, key, kind, named, skipped)]
    furniture = _furniture(record, skipped)
    warnings = [f"{count} {reason} left out." for reason, count in sorted(skipped.items())]
    warnings += [
        f"{item.name} has no category in the scan: it became a box of unknown kind and mass."
        for item in furniture
        if item.category == UNNAMED
    ]
    return Room(name=name, panels=tuple(panels), furniture=tuple(furniture), warnings=tuple(warnings))


def path_safe_name(text: str) -> str:
    """Return words as a lower-case name with underscores."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")[:40] or "thing"


def _names(record: Mapping[str, Any]) -> dict[str, str]:
    """Return our names of surfaces by RoomPlan's identifiers."""
    names = {}
    for key, kind in SURFACE_KINDS.items():
        for number, item in enumerate(_list(record, key)):
            if isinstance(item, dict) and isinstance(item.get("identifier"), str):
                names[item["identifier"]] = f"{kind}_{number}"
    return names


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    return [] if value is None else list(parsing.sequence(value, context=key, max_length=MAX_SURFACES))


def _panels(
    record: Mapping[str, Any], key: str, kind: PanelKind, named: Mapping[str, str], skipped: Counter[str]
) -> list[Panel]:
    panels = []
    for number, item in enumerate(_list(record, key)):
        location = f"{key}[{number}]"
        surface = parsing.mapping(item, context=location)
        outline = _outline(surface, location=location)
        if outline is None:
            skipped[f"{key} without extent"] += 1
            continue
        category, details = _tagged_value(surface.get("category"), location=f"{location} category", default=kind)
        if surface.get("curve") is not None:
            skipped[f"curves of {key} (taken as flat), their bend was"] += 1
        parent = surface.get("parentIdentifier")
        panels.append(
            Panel(
                name=f"{kind}_{number}",
                kind=kind,
                world_from_panel=Z_UP_FROM_Y_UP @ _pose(surface, location=location),
                outline=outline,
                parent=named.get(parent) if isinstance(parent, str) else None,
                is_open=kind == "opening" or (category == "door" and details.get("isOpen") is True),
            )
        )
    return panels


def _furniture(record: Mapping[str, Any], skipped: Counter[str]) -> list[Furniture]:
    furniture, counts = [], Counter[str]()
    for number, item in enumerate(_list(record, "objects")):
        location = f"objects[{number}]"
        box = parsing.mapping(item, context=location)
        width, height, depth = _dimensions(box, location=location)
        if min(width, height, depth) < MIN_SIDE_M:
            skipped["objects without extent"] += 1
            continue
        category = path_safe_name(
            _tagged_value(box.get("category"), location=f"{location} category", default=UNNAMED)[0]
        )
        confidence = _tagged_value(box.get("confidence"), location=f"{location} confidence", default="untold")[0]
        furniture.append(
            Furniture(
                name=f"{category}_{counts[category]}",
                category=category,
                world_from_box=Z_UP_FROM_Y_UP @ _pose(box, location=location) @ np.linalg.inv(BOX_FROM_LOCAL),
                size_m=np.array([width, depth, height]),
                confidence=CONFIDENCES.get(confidence, "untold"),
            )
        )
        counts[category] += 1
    return furniture


def _tagged_value(value: Any, *, location: str, default: str) -> tuple[str, Mapping[str, Any]]:
    """Return the key and the details of an object with one key, or a bare text."""
    if value is None:
        return default, {}
    if isinstance(value, str):
        return parsing.text(value, context=location), {}
    entries = list(parsing.mapping(value, context=location).items())
    if len(entries) != 1:
        return default, {}
    key, details = entries[0]
    return parsing.text(key, context=location), details if isinstance(details, dict) else {}


def _pose(item: Mapping[str, Any], *, location: str) -> Array:
    numbers = parsing.numbers(item.get("transform"), 16, context=f"{location} transform")
    return parsing.pose(numbers.reshape(4, 4).T, context=f"{location} transform")


def _dimensions(item: Mapping[str, Any], *, location: str) -> tuple[float, float, float]:
    location = f"{location} dimensions"
    values = parsing.sequence(item.get("dimensions"), context=location, max_length=3)
    width, height, depth = (
        parsing.number(value, context=location, low=0.0, high=MAX_SIDE_M) for value in [*values, 0, 0, 0][:3]
    )
    return width, height, depth


def _outline(surface: Mapping[str, Any], *, location: str) -> Array | None:
    """Return the corners [k, 2], counter-clockwise; None for a surface without extent."""
    corners = surface.get("polygonCorners")
    rows = (
        []
        if corners is None
        else parsing.sequence(corners, context=f"{location} polygonCorners", max_length=MAX_CORNERS)
    )
    if len(rows) >= 3:
        points = np.array([_corner(row, location=f"{location} polygonCorners") for row in rows])
    else:
        width, height, _ = _dimensions(surface, location=location)
        points = 0.5 * np.array([[-width, -height], [width, -height], [width, height], [-width, height]])
    next_points = np.roll(points, -1, axis=0)
    area = 0.5 * float(np.sum(points[:, 0] * next_points[:, 1] - points[:, 1] * next_points[:, 0]))
    if np.ptp(points, axis=0).min() < MIN_SIDE_M or abs(area) < MIN_SIDE_M**2:
        return None
    return np.asarray(points if area > 0.0 else points[::-1])


def _corner(row: Any, *, location: str) -> tuple[float, float]:
    values = [
        parsing.number(value, context=location, low=-MAX_SIDE_M, high=MAX_SIDE_M)
        for value in parsing.sequence(row, context=location, max_length=3)
    ]
    if len(values) < 2:
        raise CaptureError(
            f"{location} with {len(values)} numbers", expected="corners of 2 or 3", hint="Export the room again."
        )
    return values[0], values[1]
