import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from cousins.capture.captures import Frame
from cousins.fusion.marching_cubes_table import TRIANGLES
from cousins.fusion.volume import FusionConfig, Volume, fuse
from cousins.geometry import Array, Intrinsics, invert, look_at, transform

CAMERA = Intrinsics(width=256, height=192, fx=193.0, fy=193.0, cx=127.5, cy=95.5)
CENTER = np.array([0.1, 0.2, 0.3])
RADIUS_M = 0.15


def ball_frame(index: int, pose: Array, *, wall_m: float = 0.0) -> Frame:
    """A ball's exact depth; behind it a wall at planar depth `wall_m`, or nothing."""
    v, u = np.mgrid[0:192, 0:256]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], axis=-1)
    center = transform(invert(pose), CENTER)
    a, b = (rays**2).sum(axis=-1), rays @ center
    inside = b * b - a * (center @ center - RADIUS_M**2)
    depth = np.where(inside > 0.0, (b - np.sqrt(np.maximum(inside, 0.0))) / a, wall_m)
    return Frame(
        index=index,
        timestamp_s=0.1 * index,
        world_from_camera=pose,
        depth_camera=CAMERA,
        depth_m=depth.astype(np.float32),
        confidence=np.full(depth.shape, 2, np.uint8),
    )


def ball_frames(count: int = 40, *, wall_m: float = 0.0) -> list[Frame]:
    """Views from all sides."""
    rng = np.random.default_rng(0)
    sides = rng.normal(size=(count, 3))
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    return [ball_frame(k, look_at(CENTER + 0.7 * side, CENTER), wall_m=wall_m) for k, side in enumerate(sides)]


def test_a_fused_ball_is_watertight_and_has_its_radius() -> None:
    mesh = fuse(ball_frames()).extract()
    surface = mesh.to_trimesh()
    assert surface.is_watertight
    assert surface.is_winding_consistent
    assert surface.volume == pytest.approx(4.0 / 3.0 * np.pi * RADIUS_M**3, rel=0.02)
    error_m = np.linalg.norm(mesh.vertices - CENTER, axis=1) - RADIUS_M
    assert abs(error_m.mean()) < 0.0005
    assert np.sqrt((error_m**2).mean()) < 0.001


def test_distances_are_positive_outside_and_unknown_where_nothing_was_seen() -> None:
    volume = fuse(ball_frames())
    distance_m, weight = volume.sample(CENTER + np.array([[0.0, 0.0, 0.16], [0.0, 0.142, 0.0], [0.0, 0.0, 0.0]]))
    assert 0.01 - 0.001 < distance_m[0] < 0.02
    assert -0.016 < distance_m[1] < -0.008 + 0.001
    assert np.isnan(distance_m[2])
    assert weight[2] == 0.0


def test_the_sampled_distance_is_zero_on_the_extracted_surface() -> None:
    volume = fuse(ball_frames())
    distance_m, weight = volume.sample(volume.extract().vertices)
    assert np.nanmax(np.abs(distance_m)) < 1e-5
    assert (weight[np.isfinite(distance_m)] >= 1.0).all()


def test_every_case_of_the_cube_is_cut_and_complements_are_cut_as_well() -> None:
    used = (TRIANGLES >= 0).any(axis=(1, 2))
    assert not used[0]
    assert not used[255]
    assert used[1:255].all()


def test_pixels_outside_the_mask_never_make_surface() -> None:
    frames = ball_frames(wall_m=1.1)
    masks = {frame.index: frame.depth_m < 1.0 for frame in frames}
    error_m = np.linalg.norm(fuse(frames, masks=masks).extract().vertices - CENTER, axis=1) - RADIUS_M
    assert np.abs(error_m).max() < 0.01


def test_a_frame_without_a_mask_clears_what_it_looks_through() -> None:
    frames = ball_frames(12)
    behind = [replace(ball_frame(k, frames[k].world_from_camera), index=100 + k) for k in range(12)]
    empty = [replace(frame, depth_m=np.full_like(frame.depth_m, 1.5)) for frame in behind]
    masks = {frame.index: frame.depth_m > 0.0 for frame in frames}
    uncarved = fuse(frames, masks=masks).extract()
    cleared = fuse([*frames, *empty, *empty, *empty], masks=masks).extract()
    assert len(cleared.faces) < 0.2 * len(uncarved.faces)


def test_colours_are_those_of_the_frames() -> None:
    volume = Volume(FusionConfig(), colors=True)
    color = np.broadcast_to(np.array([200, 40, 0], np.uint8), (192, 256, 3))
    for frame in ball_frames():
        volume.integrate(frame, color=color)
    colors = volume.extract().colors
    assert colors is not None
    assert np.abs(colors.astype(int) - [200, 40, 0]).max() <= 1


def test_low_confidence_is_left_out_unless_asked_for() -> None:
    frames = [replace(frame, confidence=np.zeros_like(frame.confidence)) for frame in ball_frames(3)]
    assert fuse(frames).block_count == 0
    assert fuse(frames, config=FusionConfig(min_confidence=0)).block_count > 0


def test_nothing_fused_is_an_empty_mesh() -> None:
    mesh = fuse([]).extract()
    assert mesh.vertices.shape == (0, 3)
    assert mesh.faces.shape == (0, 3)


def test_unusable_depth_is_ignored() -> None:
    frame = ball_frames(1)[0]
    depth = np.full_like(frame.depth_m, np.nan)
    depth[::2] = np.inf
    assert fuse([replace(frame, depth_m=depth)]).block_count == 0


def test_memory_follows_surface_and_stays_under_three_kilobytes_a_block() -> None:
    volume = fuse(ball_frames())
    assert volume.block_count < 1000
    assert volume.byte_count < 3000 * max(volume.block_count, 4096) + (1 << 20)


def test_two_processes_write_the_same_bytes() -> None:
    script = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1]); import test_volume as t;"
        "m = t.fuse(t.ball_frames(8)).extract();"
        "print(hashlib.sha256(m.vertices.tobytes() + m.faces.tobytes()).hexdigest())"
    )
    folder = __file__.rsplit("/", 1)[0]
    digests = [
        subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0].strip()) == 64
