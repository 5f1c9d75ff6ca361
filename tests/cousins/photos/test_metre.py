"""The metre of photos: an interval that holds, narrower where the photos know their focus distance."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from cousins.capture.captures import Scale
from cousins.geometry import Array, Intrinsics, look_at
from cousins.photos.focus_distance import focus_distance_m
from cousins.photos.metre import DISTANCE_SIGMA, FOCUS_SIGMA, TYPICAL_DISTANCE_M, Metre, assumed_metre
from cousins.photos.structure_from_motion import PosedPhoto, SfmModel

CAMERA = Intrinsics(width=640, height=480, fx=520.0, fy=520.0, cx=319.5, cy=239.5)
RECORDED_DISTANCES_M = (1.65, 2.63, 0.23, 1.82, 2.32, 1.09)
"""Median distances of the public recordings with a known metre: chair, library, door handle, kitchen, office, desk."""


def model(
    rng: np.random.Generator, *, unit_m: float, focus_m: Array | None = None, distance_m: float = 1.2
) -> SfmModel:
    """Return points around the origin and eight cameras that look at them, in units of `unit_m`."""
    points = rng.normal(0.0, 0.15 * distance_m, (300, 3)) / unit_m
    photos = []
    for number, turn in enumerate(np.linspace(0.0, 2.0, 8)):
        eye = distance_m / unit_m * np.array([np.cos(turn), np.sin(turn), 0.3])
        photos.append(
            PosedPhoto(
                index=number,
                jpeg=b"",
                camera=CAMERA,
                world_from_camera=look_at(eye, np.zeros(3)),
                points=np.arange(len(points)),
                focus_distance_m=None if focus_m is None else float(focus_m[number]),
            )
        )
    return SfmModel(photos=tuple(photos), points=points, error_px=0.5)


def interval(metre: Metre) -> tuple[float, float]:
    return Scale(source=metre.source, error=metre.error).interval


def test_the_unit_of_the_model_does_not_matter() -> None:
    first, second = (assumed_metre(model(np.random.default_rng(0), unit_m=unit)) for unit in (1.0, 7.0))
    assert first.per_unit == pytest.approx(second.per_unit / 7.0)
    assert first.error == second.error == DISTANCE_SIGMA


def test_the_interval_holds_for_recordings_with_a_known_metre() -> None:
    low, high = Scale(source="assumed", error=DISTANCE_SIGMA).interval
    holds = [low <= distance / TYPICAL_DISTANCE_M <= high for distance in RECORDED_DISTANCES_M]
    assert 0.8 <= np.mean(holds) <= 0.97


def test_the_interval_with_focus_distances_holds_as_often_as_it_says() -> None:
    holds = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        distance = TYPICAL_DISTANCE_M * np.exp(DISTANCE_SIGMA * rng.standard_normal())
        focus = distance * np.exp(FOCUS_SIGMA * rng.standard_normal() + 0.3 * rng.standard_normal(8))
        metre = assumed_metre(model(rng, unit_m=1.0, focus_m=focus, distance_m=distance))
        low, high = interval(metre)
        holds.append(low <= 1.0 / metre.per_unit <= high)
        assert metre.error < 0.6 * DISTANCE_SIGMA
        assert metre.source == "assumed, from the focus distances of 8 photos"
    assert 0.84 <= np.mean(holds) <= 0.96


def apple_note(near: tuple[int, int], far: tuple[int, int]) -> bytes:
    """Return a maker note with a run time stamp and a focus distance range."""
    entries = struct.pack(">HHII", 0x0004, 9, 1, 7) + struct.pack(">HHII", 0x000C, 10, 2, 14 + 2 + 24 + 4)
    return b"Apple iOS\0\0\1MM" + struct.pack(">H", 2) + entries + bytes(4) + struct.pack(">4i", *near, *far)


def test_focus_distances_are_read_from_exif_and_from_apples_note() -> None:
    assert focus_distance_m({0x9206: 0.934}) == 0.934
    assert focus_distance_m({0x927C: apple_note((32, 100), (50, 100))}) == pytest.approx(0.4)


@pytest.mark.parametrize(
    "exif",
    [
        {},
        {0x9206: 0.0},
        {0x9206: 4294967295.0},
        {0x9206: "near"},
        {0x927C: b"Nikon\0"},
        {0x927C: apple_note((1, 0), (1, 2))},
        {0x927C: apple_note((-1, 2), (1, 2))},
        {0x927C: apple_note((1, 2), (1, 2))[:30]},
        {0x927C: b"Apple iOS\0\0\1MM" + b"\xff" * 40},
    ],
)
def test_what_is_no_focus_distance_is_none(exif: dict[int, object]) -> None:
    assert focus_distance_m(exif) is None
