"""Scale from printed tags, and the printable sheet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from cousins.capture.captures import Capture
from cousins.errors import CaptureError, InputError
from cousins.geometry import rigid
from cousins.meshes import Mesh
from cousins.scale.check import ScaleCheck, rescale_capture
from cousins.scale.sheet import draw_sheet, draw_tag, write_sheet
from cousins.scale.tags import check_tag_scale, tag_corners
from sim.synthetic.phone import PhoneBody, PhoneConfig, PhoneWorld, record_capture

SIDE_M = 0.08


def tagged_board() -> Mesh:
    """A flat square with white around one tag of `SIDE_M`."""
    margin = 60
    image = np.pad(draw_tag(3, 240), margin, constant_values=255)
    half = 0.5 * SIDE_M * (240 + 2 * margin) / 240
    corners = half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return Mesh(
        vertices=np.column_stack([corners, np.full(4, 0.001)]),
        faces=np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32),
        uv=np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]),
        texture=np.repeat(image[..., None], 3, axis=2),
    )


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    board = Mesh.from_trimesh(trimesh.creation.box((0.8, 0.8, 0.02))).transformed(
        rigid(None, np.array([0.0, 0.0, -0.01]))
    )
    world = PhoneWorld(
        bodies=(PhoneBody(name="tag", label="tag", mesh=tagged_board(), world_from_body=rigid()),),
        structures=(("board", board),),
    )
    config = PhoneConfig(
        frames=10, color_every=1, color_width=960, shadows=False, radius_m=(0.4, 0.6), elevation_deg=(40.0, 60.0)
    )
    folder = tmp_path_factory.mktemp("tags") / "capture"
    return record_capture(world, folder, config=config, rng=np.random.default_rng(2))[0]


def test_a_tag_gives_the_scale_of_a_noisy_capture_within_its_error(capture: Capture) -> None:
    check = check_tag_scale(capture, tag_corners(capture), side_m=SIDE_M)
    assert check.by == "1 tag"
    assert check.error < 0.006
    assert abs(check.ratio - 1.0) < 3.0 * check.error


def test_a_capture_that_is_three_percent_short_is_corrected_and_its_scale_source_says_so(capture: Capture) -> None:
    short = rescale_capture(capture, ScaleCheck(ratio=0.97, error=0.001, by="1 tag"))
    check = check_tag_scale(short, tag_corners(short), side_m=SIDE_M)
    assert check.ratio == pytest.approx(
        check_tag_scale(capture, tag_corners(capture), side_m=SIDE_M).ratio / 0.97, rel=1e-6
    )
    corrected = rescale_capture(replace(short, scale=capture.scale, warnings=()), check)
    np.testing.assert_allclose(
        corrected.frames[0].depth_m, capture.frames[0].depth_m * check.ratio * 0.97, rtol=1e-5, atol=1e-6
    )
    assert corrected.scale.source.startswith(f"{capture.scale.source}, corrected by 1 tag (+")
    assert corrected.scale.error == check.error


def test_a_wrong_size_typed_is_refused(capture: Capture) -> None:
    with pytest.raises(CaptureError, match=r"tags as wide as (79|80)\.\d mm by the phone, 160 mm as typed"):
        check_tag_scale(capture, tag_corners(capture), side_m=2.0 * SIDE_M)


def test_a_capture_without_tags_is_refused_with_what_to_do(capture: Capture) -> None:
    blind = replace(capture, frames=tuple(replace(frame, color_path=None) for frame in capture.frames))
    with pytest.raises(CaptureError, match=r"0 tags in 0 colour frames.*cousins tag-sheet"):
        check_tag_scale(blind, tag_corners(blind), side_m=SIDE_M)


def test_a_printed_sheet_has_tags_of_the_asked_size_that_a_camera_finds(tmp_path: Path) -> None:
    import cv2

    page, count = draw_sheet(side_m=0.06, paper="a4")
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11))
    corners, numbers, _ = detector.detectMarkers(cv2.resize(page, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    assert sorted(int(number) for number in np.ravel(numbers)) == list(range(count))
    sides = [
        np.linalg.norm(tag_corners_px[0, 0] - tag_corners_px[0, 1]) * 4.0 / 600 * 0.0254 for tag_corners_px in corners
    ]
    np.testing.assert_allclose(sides, 0.06, atol=3e-4)


def test_a_sheet_has_the_same_bytes_twice_and_refuses_odd_sizes(tmp_path: Path) -> None:
    assert write_sheet(tmp_path / "a.pdf", side_m=0.08, paper="letter") == 4
    write_sheet(tmp_path / "b.pdf", side_m=0.08, paper="letter")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    with pytest.raises(InputError, match="a tag of 600 mm; expected 20 to 160 mm"):
        write_sheet(tmp_path / "c.pdf", side_m=0.6)
