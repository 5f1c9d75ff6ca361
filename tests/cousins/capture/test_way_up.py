"""The way up from surfaces, straight edges and how cameras are held; where it is ambiguous it is unsure."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cousins.capture.edge_lines import edge_plane_normals
from cousins.capture.way_up import UpView, WayUp, describe_way_up, estimate_way_up
from cousins.geometry import Array, Intrinsics, look_at, rigid, rotation_about, unproject
from tests.cousins.photos.corner import depth_of, poses

CAMERA = Intrinsics(width=480, height=360, fx=380.0, fy=380.0, cx=239.5, cy=179.5)
UP = np.array([0.0, 0.0, 1.0])
TILT = rotation_about(np.array([1.0, 0.4, 0.2]), 1.1)
NOTHING = np.zeros((0, 3))


def held(count: int, *, arc_rad: float = 4.0, pitch: float = 0.5, turn: int = 0, roll_rad: float = 0.05) -> list[Array]:
    """Return poses on an arc around the origin, rolled a little and turned by quarters."""
    rng = np.random.default_rng(4)
    poses = []
    for azimuth in np.linspace(0.0, arc_rad, count):
        eye = np.array([np.cos(azimuth), np.sin(azimuth), pitch])
        roll = turn * 0.5 * np.pi + roll_rad * rng.standard_normal()
        poses.append(look_at(eye, np.zeros(3)) @ rigid(rotation_about(UP, float(roll))))
    return poses


def floor_and_walls(rng: np.random.Generator, *, floor: float = 0.3) -> Array:
    """Return normals of a floor, a wall and clutter."""
    clutter = rng.standard_normal((300, 3))
    normals = np.vstack([np.tile(UP, (int(1000 * floor), 1)), np.tile([1.0, 0.0, 0.0], (300, 1)), clutter])
    normals = normals + 0.02 * rng.standard_normal(normals.shape)
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def estimate(poses: list[Array], *, surfaces: Array, edges: Array = NOTHING, oriented: bool = True) -> WayUp:
    """Return the way up, estimated in a tilted world."""
    return estimate_way_up(
        [
            UpView(
                world_from_camera=rigid(TILT) @ pose,
                surface_normals=surfaces @ TILT.T,
                edge_normals=edges @ TILT.T,
                oriented=oriented,
            )
            for pose in poses
        ]
    )


def off_deg(way_up: WayUp) -> float:
    return float(np.rad2deg(np.arccos(np.clip(way_up.direction @ TILT @ UP, -1.0, 1.0))))


@pytest.mark.parametrize("turn", [0, 1, 3])
@pytest.mark.parametrize("pitch", [0.0, 0.5, 1.2])
def test_photos_around_a_thing_on_a_floor_are_level_however_they_lie(turn: int, pitch: float) -> None:
    surfaces = floor_and_walls(np.random.default_rng(0))
    way_up = estimate(held(12, pitch=pitch, turn=turn), surfaces=surfaces, oriented=turn == 0)
    assert off_deg(way_up) < 1.0
    assert way_up.sure


def test_a_short_arc_that_looks_down_is_not_turned_by_a_quarter() -> None:
    way_up = estimate(held(9, arc_rad=1.0, pitch=0.6), surfaces=floor_and_walls(np.random.default_rng(1), floor=0.05))
    assert off_deg(way_up) < 5.0
    assert way_up.certainty > 0.9


def test_a_wall_that_is_all_that_was_seen_is_no_floor() -> None:
    wall = np.tile([1.0, 0.0, 0.0], (500, 1))
    way_up = estimate(held(10, pitch=0.1), surfaces=wall)
    assert off_deg(way_up) < 6.0


def test_upright_edges_correct_a_seat_that_leans() -> None:
    rng = np.random.default_rng(2)
    leaning = rotation_about(np.array([0.0, 1.0, 0.0]), float(np.deg2rad(9.0))) @ UP
    surfaces = np.vstack([np.tile(leaning, (100, 1)), rng.standard_normal((900, 3))])
    surfaces /= np.linalg.norm(surfaces, axis=1, keepdims=True)
    azimuths = rng.uniform(0.0, 2.0 * np.pi, 600)
    edges = np.column_stack([np.cos(azimuths), np.sin(azimuths), 0.01 * rng.standard_normal(600)])
    stray = rng.standard_normal((900, 3))
    edges = np.vstack([edges, stray / np.linalg.norm(stray, axis=1, keepdims=True)])
    with_edges, without = (estimate(held(10), surfaces=surfaces, edges=part) for part in (edges, NOTHING))
    assert off_deg(without) > 3.0
    assert off_deg(with_edges) < 2.0
    assert with_edges.cues[-1] == "upright edges"


def test_one_picture_straight_down_without_orientation_is_unsure() -> None:
    pose = look_at(np.array([0.0, 0.0, 1.0]), np.zeros(3), up=np.array([1.0, 0.0, 0.0]))
    way_up = estimate([pose], surfaces=NOTHING, oriented=False)
    assert not way_up.sure
    sentence = describe_way_up(way_up, advice="Hold it level.")
    assert sentence.startswith("The way up is unsure")
    assert sentence.endswith("Hold it level.")


def test_the_stated_error_holds() -> None:
    sigmas = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        slope = rotation_about(np.append(rng.standard_normal(2), 0.0), float(np.deg2rad(1.5) * rng.standard_normal()))
        way_up = estimate(held(10, pitch=rng.uniform(0.0, 1.0)), surfaces=floor_and_walls(rng) @ slope.T)
        sigmas.append(np.deg2rad(off_deg(way_up)) / way_up.sigma_rad)
    assert np.quantile(sigmas, 0.9) < 2.2


def test_edges_of_a_picture_run_along_the_tiles_that_it_shows() -> None:
    pose = poses(5)[1]
    points = unproject(depth_of(pose, CAMERA), CAMERA) @ pose[:3, :3].T + pose[:3, 3]
    tiles = np.floor(points / 0.12 + 0.37).astype(int).sum(axis=-1) % 2
    gray = np.asarray(Image.fromarray((200 * tiles + 30).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.0)))
    normals = edge_plane_normals(gray / 255.0, CAMERA) @ pose[:3, :3].T
    assert len(normals) > 300
    along = np.abs(normals) < np.sin(np.deg2rad(2.0))
    assert along.any(axis=1).mean() > 0.7
    assert (along.sum(axis=0) > 50).all()
