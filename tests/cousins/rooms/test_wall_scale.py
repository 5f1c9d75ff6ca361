"""The scale of photos by the walls of a layout scan: found where it can be known, refused where it would be a guess."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics, look_at, rigid, rotation_about, unproject
from cousins.rooms.room import Panel, Room
from cousins.rooms.wall_scale import check_scale_with_room
from cousins.scale.check import rescale_capture

CAMERA = Intrinsics(width=96, height=72, fx=60.0, fy=60.0, cx=47.5, cy=35.5)
LONG_M, WIDE_M, HIGH_M = 5.2, 3.9, 2.5
"""The true room: x and y from 0, z up."""


def layout(*sides: tuple[Array, Array]) -> Room:
    """A layout scan in a frame of its own: turned by 40° and shifted."""
    world_from_layout = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), np.deg2rad(40.0)), np.array([3.0, -7.0, 0.4]))
    return Room(
        name="room",
        panels=tuple(wall(*side, number, world_from_layout) for number, side in enumerate(sides)),
        furniture=(),
    )


def wall(start: Array, stop: Array, number: int, world_from_layout: Array) -> Panel:
    half = 0.5 * float(np.linalg.norm(stop - start))
    along, up = np.append((stop - start) / (2.0 * half), 0.0), np.array([0.0, 0.0, 1.0])
    pose = world_from_layout @ rigid(
        np.stack([along, up, np.cross(along, up)], axis=1), np.append(0.5 * (start + stop), 0.5 * HIGH_M)
    )
    outline = np.array([[-half, -1.25], [half, -1.25], [half, 1.25], [-half, 1.25]])
    return Panel(name=f"wall_{number}", kind="wall", world_from_panel=pose, outline=outline)


def sides(long_m: float = LONG_M, wide_m: float = WIDE_M) -> list[tuple[Array, Array]]:
    corners = np.array([[0.0, 0.0], [long_m, 0.0], [long_m, wide_m], [0.0, wide_m]])
    return [(corners[k], corners[(k + 1) % 4]) for k in range(4)]


def photos(*, metre: float, directions: range = range(0, 360, 30), noise: float = 0.004) -> Capture:
    """Photos of the room with depth, whose unit is `metre` true metres, by somebody who turns in its middle."""
    rng = np.random.default_rng(0)
    frames = []
    for index, turn in enumerate(np.deg2rad(list(directions))):
        eye = np.array([2.2 + 0.3 * np.cos(turn), 1.9 + 0.3 * np.sin(turn), 1.4])
        pose = look_at(eye, eye + np.array([np.cos(turn), np.sin(turn), -0.25]))
        rays = unproject(np.ones((CAMERA.height, CAMERA.width)), CAMERA) @ pose[:3, :3].T
        with np.errstate(divide="ignore"):
            depth = np.maximum(-eye / rays, (np.array([LONG_M, WIDE_M, HIGH_M]) - eye) / rays).min(axis=-1)
        depth *= 1.0 + noise * rng.standard_normal(depth.shape)
        pose[:3, 3] /= metre
        frames.append(
            Frame(
                index=index,
                timestamp_s=float(index),
                world_from_camera=pose,
                depth_camera=CAMERA,
                depth_m=(depth / metre).astype(np.float32),
                confidence=np.full(depth.shape, 2, dtype=np.uint8),
            )
        )
    scale = Scale(source="assumed", error=0.5)
    return Capture(name="photos", device="unknown", app="photos", frames=tuple(frames), scale=scale, gravity_known=True)


@pytest.mark.parametrize("metre", [0.4, 1.0, 2.7])
def test_the_walls_of_a_layout_give_photos_their_metric_scale(metre: float) -> None:
    check = check_scale_with_room(photos(metre=metre), layout(*sides()), rng=np.random.default_rng(0))
    assert check.ratio == pytest.approx(metre, rel=0.01)
    assert 0.002 < check.error < 0.02
    assert abs(check.ratio / metre - 1.0) < 3.0 * check.error
    rescaled = rescale_capture(photos(metre=metre), check)
    assert rescaled.scale.source == "measured by 4 walls of a layout scan"


def test_inner_walls_that_no_photo_shows_do_not_matter() -> None:
    more = [(np.array([LONG_M, 1.0]), np.array([LONG_M + 3.0, 1.0])), (np.array([-2.0, 0.5]), np.array([-2.0, 3.0]))]
    check = check_scale_with_room(photos(metre=0.4), layout(*sides(), *more), rng=np.random.default_rng(0))
    assert check.ratio == pytest.approx(0.4, rel=0.01)


def test_three_walls_are_a_guess_and_refused() -> None:
    half = photos(metre=0.4, directions=range(-60, 61, 15))
    with pytest.raises(CaptureError, match=r"[0-3] walls in the pictures.* Walk a circle in the room, look outwards"):
        check_scale_with_room(half, layout(*sides()), rng=np.random.default_rng(0))


def test_another_room_is_refused() -> None:
    with pytest.raises(CaptureError, match=r"walls in the pictures, not 4 of which fit the layout"):
        check_scale_with_room(photos(metre=0.4), layout(*sides(long_m=4.4)), rng=np.random.default_rng(0))


def test_a_layout_that_fits_in_two_ways_is_refused() -> None:
    middle = np.array([0.5 * LONG_M, 0.5 * WIDE_M])
    larger = [(middle + 1.35 * (start - middle), middle + 1.35 * (stop - middle)) for start, stop in sides()]
    with pytest.raises(CaptureError, match=r"fit the layout in two ways, .* apart in scale"):
        check_scale_with_room(photos(metre=0.4), layout(*sides(), *larger), rng=np.random.default_rng(0))


def test_a_lidar_whose_metre_is_far_from_the_layouts_is_doubted() -> None:
    lidar = replace(photos(metre=0.5), scale=Scale(source="ARKit", error=0.01))
    with pytest.raises(CaptureError, match=r"Is it the same room\?"):
        check_scale_with_room(lidar, layout(*sides()), rng=np.random.default_rng(0))
