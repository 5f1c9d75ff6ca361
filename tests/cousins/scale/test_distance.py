"""Typed distances: parsing, measured scale and plausibility limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cousins.capture.captures import Capture, Frame, Scale
from cousins.errors import CaptureError, InputError
from cousins.geometry import Intrinsics, look_at
from cousins.scale.check import ScaleCheck, combine_checks, rescale_capture
from cousins.scale.distance import PixelDistance, TagDistance, check_distances, needs_tags, parse_distance

CAMERA = Intrinsics(width=256, height=192, fx=210.0, fy=210.0, cx=127.5, cy=95.5)
COLOR = CAMERA.scaled(1280, 960)


def capture_of(*, short: float = 1.0, noise_m: float = 0.0, source: str = "lidar") -> Capture:
    """A slanted view of the plane z = 0 whose every length is `short` times the true one."""
    pose = look_at(np.array([0.0, -0.8, 0.9]), np.zeros(3))
    v, u = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(u.shape)], axis=-1)
    depth = -pose[2, 3] / (rays @ pose[2, :3]) + np.random.default_rng(1).normal(0.0, noise_m, u.shape)
    pose[:3, 3] *= short
    frame = Frame(
        index=0,
        timestamp_s=0.0,
        world_from_camera=pose,
        depth_camera=CAMERA,
        depth_m=(depth * short).astype(np.float32),
        confidence=np.full(u.shape, 2, dtype=np.uint8),
        color_camera=COLOR,
    )
    return Capture(name="plane", device="d", app="a", frames=(frame,), scale=Scale(source=source, error=0.01))


def pixel_of(x: float, y: float) -> tuple[float, float]:
    """The colour pixel that shows (x, y, 0)."""
    pose = look_at(np.array([0.0, -0.8, 0.9]), np.zeros(3))
    point = pose[:3, :3].T @ (np.array([x, y, 0.0]) - pose[:3, 3])
    return float(COLOR.fx * point[0] / point[2] + COLOR.cx), float(COLOR.fy * point[1] / point[2] + COLOR.cy)


HALF_METRE = PixelDistance(frame=0, pixels=(pixel_of(-0.2, 0.0), pixel_of(0.2, 0.3)), length_m=0.5)


def test_two_pixels_on_a_slanted_plane_measure_their_distance() -> None:
    assert check_distances(capture_of(), [HALF_METRE]).ratio == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("short", [0.97, 1.04])
def test_a_wrong_scale_is_measured_within_its_error_and_corrected(short: float) -> None:
    capture = capture_of(short=short, noise_m=0.002)
    check = check_distances(capture, [HALF_METRE])
    assert check.error < 0.02
    assert abs(check.ratio * short - 1.0) < 3.0 * check.error
    corrected = rescale_capture(capture, check)
    assert corrected.scale.source.startswith("lidar, corrected by 1 typed distance (")
    assert corrected.scale.error == check.error


def test_a_capture_of_assumed_scale_believes_any_distance_and_says_measured() -> None:
    capture = capture_of(short=7.0, source="assumed")
    check = check_distances(capture, [HALF_METRE])
    corrected = rescale_capture(capture, check)
    assert corrected.scale.source == "measured by 1 typed distance"
    assert check_distances(corrected, [HALF_METRE]).ratio == pytest.approx(1.0, abs=1e-4)


def test_tags_are_measured_between_their_centres() -> None:
    square = 0.03 * np.array([[-1.0, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
    tags = {3: square, 7: square + np.array([0.3, 0.4, 0.0])}
    distance = parse_distance("tag3:tag7=0.51")
    assert needs_tags([distance])
    assert check_distances(capture_of(), [distance], tags=tags).ratio == pytest.approx(1.02)
    with pytest.raises(CaptureError, match=r"no tag 9 .*expected one of tag3, tag7"):
        check_distances(capture_of(), [TagDistance(tags=(3, 9), length_m=0.5)], tags=tags)


def test_a_place_at_an_edge_is_refused_with_what_to_do() -> None:
    capture = capture_of()
    depth = capture.frames[0].depth_m.copy()
    depth[:, :110] += 0.4
    broken = replace(capture, frames=(replace(capture.frames[0], depth_m=depth),))
    at_edge = replace(HALF_METRE, pixels=((5.0 * 110.0, 480.0), (900.0, 480.0)), length_m=0.4)
    with pytest.raises(CaptureError, match=r"known to \d+ % only.*not at edges"):
        check_distances(broken, [at_edge])


@pytest.mark.parametrize(
    ("distance", "match"),
    [
        (replace(HALF_METRE, length_m=1.0), r"500\.0 mm by the phone, 1000 mm as typed"),
        (replace(HALF_METRE, frame=4), "frame 4 of 1; expected 0 to 0"),
        (replace(HALF_METRE, pixels=((0.0, 0.0), (1280.0, 0.0))), r"pixel 1280,0 in a picture of 1280×960"),
    ],
)
def test_a_distance_that_cannot_be_is_refused(distance: PixelDistance, match: str) -> None:
    with pytest.raises(CaptureError, match=match):
        check_distances(capture_of(), [distance])


def test_distances_that_contradict_each_other_have_a_larger_error() -> None:
    agreeing = combine_checks([ScaleCheck(ratio=ratio, error=0.01, by="x") for ratio in (1.0, 1.005)])
    fighting = combine_checks([ScaleCheck(ratio=ratio, error=0.01, by="x") for ratio in (0.9, 1.1)])
    assert agreeing.error == pytest.approx(0.01 / np.sqrt(2.0))
    assert fighting.error > 0.09


@given(
    tags=st.tuples(st.integers(0, 586), st.integers(0, 586)).filter(lambda pair: pair[0] != pair[1]),
    frame=st.integers(0, 9999),
    places=st.tuples(*[st.integers(0, 4000)] * 4).filter(lambda four: four[:2] != four[2:]),
    millimetres=st.integers(20, 20_000),
)
def test_what_is_typed_is_what_is_read(
    tags: tuple[int, int], frame: int, places: tuple[int, int, int, int], millimetres: int
) -> None:
    length = millimetres / 1000.0
    assert parse_distance("tag{}:tag{}={}".format(*tags, length)) == TagDistance(tags=tags, length_m=length)
    u0, v0, u1, v1 = places
    assert parse_distance(f"{frame}:{u0},{v0}:{u1},{v1}={length}") == PixelDistance(
        frame=frame, pixels=((u0, v0), (u1, v1)), length_m=length
    )


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_both_forms(text: str) -> None:
    with pytest.raises(InputError, match=r"tag3:tag7=0\.50, or FRAME:u,v:u,v=METRES"):
        parse_distance(text)


@pytest.mark.parametrize("text", ["tag3:tag3=0.5", "1:2,3:2,3=0.5", "tag3:tag4=500", "tag1:tag2=0.001"])
def test_a_distance_of_nothing_or_in_millimetres_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"two different places 0\.02 to 20 m apart"):
        parse_distance(text)
