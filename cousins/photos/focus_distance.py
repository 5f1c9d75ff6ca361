"""Focus distance from a photo's metadata: EXIF's subject distance, or the range in Apple's maker note.

It is the one metric length that a photo without depth holds. Autofocus steps are coarse, so it is a hint of the scale.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

RANGE_M = (0.02, 50.0)
"""Focus distances outside are no measurement: 0 means unknown, large numbers infinity [m]."""

_SUBJECT_DISTANCE, _MAKER_NOTE = 0x9206, 0x927C
_APPLE_MAGIC = b"Apple iOS\0"
_APPLE_HEADER_BYTES = 14
"""The magic, two bytes of version and the byte order `MM`; a directory follows."""
_FOCUS_DISTANCE_RANGE, _SIGNED_RATIONAL = 0x000C, 10
_MAX_ENTRIES = 200


def focus_distance_m(exif: Mapping[int, Any]) -> float | None:
    """Return the focus distance [m] in the tags of an EXIF directory; None where there is none."""
    distance = _plausible(exif.get(_SUBJECT_DISTANCE))
    if distance is not None:
        return distance
    note = exif.get(_MAKER_NOTE)
    ends = _apple_range_m(note) if isinstance(note, bytes) and note.startswith(_APPLE_MAGIC) else None
    return None if ends is None else math.sqrt(ends[0] * ends[1])


def _apple_range_m(note: bytes) -> tuple[float, float] | None:
    """Return the near and far focus distance [m] of Apple's maker note (tag `FocusDistanceRange` of ExifTool)."""
    try:
        if note[_APPLE_HEADER_BYTES - 2 : _APPLE_HEADER_BYTES] != b"MM":
            return None
        (count,) = struct.unpack_from(">H", note, _APPLE_HEADER_BYTES)
        for index in range(min(count, _MAX_ENTRIES)):
            tag, kind, values, offset = struct.unpack_from(">HHII", note, _APPLE_HEADER_BYTES + 2 + 12 * index)
            if (tag, kind, values) == (_FOCUS_DISTANCE_RANGE, _SIGNED_RATIONAL, 2):
                first, first_unit, second, second_unit = struct.unpack_from(">4i", note, offset)
                near, far = _plausible(first / first_unit), _plausible(second / second_unit)
                return None if near is None or far is None else (near, far)
    except (struct.error, ZeroDivisionError):
        return None
    return None


def _plausible(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if RANGE_M[0] <= number <= RANGE_M[1] else None
