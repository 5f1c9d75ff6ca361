"""Numbers of a pack's records: rounded when written, so that the last bits of a sum cannot change a digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np

from cousins.errors import PackError, SceneError
from cousins.rounding import QUATERNION_DIGITS, format_number, round_length
from cousins.scene.io.strict_json import Node

DIRECTION_DIGITS: Final = 9
"""Decimals of the parts of a unit direction."""


def rounded(value: float) -> float:
    """Return a value rounded to nine significant digits."""
    return float(format_number(value))


def rounded_lengths(values_m: Sequence[float]) -> list[float]:
    """Return lengths rounded to the micrometre [m]."""
    listed: list[float] = round_length(np.asarray(values_m, dtype=np.float64)).tolist()
    return listed


def rounded_directions(values: Sequence[float]) -> list[float]:
    """Return the parts of a unit direction, rounded."""
    return [round(float(value), DIRECTION_DIGITS) + 0.0 for value in values]


def rounded_quaternion(quat_wxyz: Sequence[float]) -> list[float]:
    """Return the parts of a quaternion, rounded."""
    return [round(float(value), QUATERNION_DIGITS) + 0.0 for value in quat_wxyz]


def read_triple(node: Node) -> tuple[float, float, float]:
    """Return three finite numbers."""
    x, y, z = node.array(3).tolist()
    return x, y, z


@contextmanager
def as_pack_errors() -> Iterator[None]:
    """Convert `SceneError` about an invalid record into `PackError`."""
    try:
        yield
    except SceneError as error:
        hint = "Pull the pack again; if it stays so, its maker has to write it anew."
        raise PackError(error.found, expected=error.expected, hint=hint) from error
