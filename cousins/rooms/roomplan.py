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

LISTS: Mapping[str, PanelKind] = {
    "walls": "wall",
    "floors": "floor",
    "doors": "door",
    "windows": "window",
    "openings": "opening",
}
"""RoomPlan's lists of surfaces."""
CONFIDENCE: Mapping[str, Confidence] = {"low": "low", "medium": "medium", "high": "high"}
"""RoomPlan's words for how sure it is."""
MOST = 5_000
"""Most surfaces or objects of one kind: a large building has hundreds."""
MOST_CORNERS = 10_000
"""Most corners of a surface."""
LARGEST_M = 1_000.0
"""Longest side that is believed [m]."""
LEAST_M = 1e-3
"""A surface or box below this size is nothing [m]."""
BOX_FROM_LOCAL = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""RoomPlan's boxes have y up; ours z."""


def is_roomplan(record: Any) -> bool:
    """Tell whether parsed JSON looks like a RoomPlan export."""
    return isinstance(record, dict) and isinstance(record.get("walls"), list) and "objects" in record


def read_roomplan(data: bytes, *, name: str) -> Room:
    """Return the room of a RoomPlan JSON file; raises CaptureError where it is none or damaged."""
    record = parsing.parse_json(data, where=name)
    if not is_roomplan(record):
        raise CaptureError(
            f"{name} without RoomPlan's lists of walls and objects",
            expected="the JSON that RoomPlan's CapturedRoom encodes to",
            hint="Export the room with `JSONEncoder().encode(capturedRoom)`, or pass the USDZ of the same scan.",
        )
    skipped: Counter[str] = Counter()
    named = _names(record)
    panels = [panel for key, kind in LISTS.items() for panel in _panels(record, key, kind, named, skipped)]
    furniture = _furniture(record, skipped)
    warnings = [f"{count} {what} left out." for what, count in sorted(skipped.items())]
    return Room(name=name, panels=tuple(panels), furniture=tuple(furniture), warnings=tuple(warnings))


def path_safe(text: str) -> str:
    """Return words as a lower-case name with underscores."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")[:40] or "thing"


def _names(record: Mapping[str, Any]) -> dict[str, str]:
    """Return our names of surfaces by RoomPlan's identifiers."""
    found = {}
    for key, kind in LISTS.items():
        for number, item in enumerate(_list(record, key)):
            if isinstance(item, dict) and isinstance(item.get("identifier"), str):
                found[item["identifier"]] = f"{kind}_{number}"
    return found


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record.get(key)
    return [] if value is None else list(parsing.sequence(value, where=key, most=MOST))


def _panels(
    record: Mapping[str, Any], key: str, kind: PanelKind, named: Mapping[str, str], skipped: Counter[str]
) -> list[Panel]:
    panels = []
    for number, item in enumerate(_list(record, key)):
        where = f"{key}[{number}]"
        surface = parsing.mapping(item, where=where)
        outline = _outline(surface, where=where)
        if outline is None:
            skipped[f"{key} without extent"] += 1
            continue
        told, details = _single(surface.get("category"), where=f"{where} category", default=kind)
        if surface.get("curve") is not None:
            skipped[f"curves of {key} (taken as flat), their bend was"] += 1
        parent = surface.get("parentIdentifier")
        panels.append(
            Panel(
                name=f"{kind}_{number}",
                kind=kind,
                world_from_panel=Z_UP_FROM_Y_UP @ _pose(surface, where=where),
                outline=outline,
                parent=named.get(parent) if isinstance(parent, str) else None,
                is_open=kind == "opening" or (told == "door" and details.get("isOpen") is True),
            )
        )
    return panels


def _furniture(record: Mapping[str, Any], skipped: Counter[str]) -> list[Furniture]:
    furniture, counts = [], Counter[str]()
    for number, item in enumerate(_list(record, "objects")):
        where = f"objects[{number}]"
        thing = parsing.mapping(item, where=where)
        width, height, depth = _dimensions(thing, where=where)
        if min(width, height, depth) < LEAST_M:
            skipped["objects without extent"] += 1
            continue
        category = path_safe(_single(thing.get("category"), where=f"{where} category", default="object")[0])
        confidence = _single(thing.get("confidence"), where=f"{where} confidence", default="untold")[0]
        furniture.append(
            Furniture(
                name=f"{category}_{counts[category]}",
                category=category,
                world_from_box=Z_UP_FROM_Y_UP @ _pose(thing, where=where) @ np.linalg.inv(BOX_FROM_LOCAL),
                size_m=np.array([width, depth, height]),
                confidence=CONFIDENCE.get(confidence, "untold"),
            )
        )
        counts[category] += 1
    return furniture


def _single(value: Any, *, where: str, default: str) -> tuple[str, Mapping[str, Any]]:
    """Return the key and the details of an object with one key, or a bare text."""
    if value is None:
        return default, {}
    if isinstance(value, str):
        return parsing.text(value, where=where), {}
    entries = list(parsing.mapping(value, where=where).items())
    if len(entries) != 1:
        return default, {}
    key, details = entries[0]
    return parsing.text(key, where=where), details if isinstance(details, dict) else {}


def _pose(item: Mapping[str, Any], *, where: str) -> Array:
    numbers = parsing.numbers(item.get("transform"), 16, where=f"{where} transform")
    return parsing.pose(numbers.reshape(4, 4).T, where=f"{where} transform")


def _dimensions(item: Mapping[str, Any], *, where: str) -> tuple[float, float, float]:
    where = f"{where} dimensions"
    values = parsing.sequence(item.get("dimensions"), where=where, most=3)
    width, height, depth = (
        parsing.number(value, where=where, low=0.0, high=LARGEST_M) for value in [*values, 0, 0, 0][:3]
    )
    return width, height, depth


def _outline(surface: Mapping[str, Any], *, where: str) -> Array | None:
    """Return the corners [k, 2], counter-clockwise; None for a surface without extent."""
    corners = surface.get("polygonCorners")
    rows = [] if corners is None else parsing.sequence(corners, where=f"{where} polygonCorners", most=MOST_CORNERS)
    if len(rows) >= 3:
        points = np.array([_corner(row, where=f"{where} polygonCorners") for row in rows])
    else:
        width, height, _ = _dimensions(surface, where=where)
        points = 0.5 * np.array([[-width, -height], [width, -height], [width, height], [-width, height]])
    after = np.roll(points, -1, axis=0)
    area = 0.5 * float(np.sum(points[:, 0] * after[:, 1] - points[:, 1] * after[:, 0]))
    if np.ptp(points, axis=0).min() < LEAST_M or abs(area) < LEAST_M**2:
        return None
    return np.asarray(points if area > 0.0 else points[::-1])


def _corner(row: Any, *, where: str) -> tuple[float, float]:
    values = [
        parsing.number(value, where=where, low=-LARGEST_M, high=LARGEST_M)
        for value in parsing.sequence(row, where=where, most=3)
    ]
    if len(values) < 2:
        raise CaptureError(
            f"{where} with {len(values)} numbers", expected="corners of 2 or 3", hint="Export the room again."
        )
    return values[0], values[1]
