"""Faces are blurred irreversibly in any orientation, and all other pixels are unchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cousins.capture.faces import blur_boxes, blur_faces, find_faces
from cousins.capture.ingest import ingest
from cousins.capture.io.capture_folder import load_capture
from cousins.errors import InputError
from cousins.geometry import Array
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import tree, write_folder

RED, BLUE = (250, 5, 5), (5, 5, 250)


def face(image: Array, left: int, top: int, *, side: int = 24) -> None:
    """Draw an upright face: red above, blue below."""
    image[top : top + side // 2, left : left + side] = RED
    image[top + side // 2 : top + side, left : left + side] = BLUE


def oracle(image: Array) -> Array:
    """Find faces that stand upright: red with blue right below."""
    pixels = image.astype(int)
    red = (pixels[..., 0] > 180) & (pixels[..., 2] < 80)
    blue = (pixels[..., 2] > 180) & (pixels[..., 0] < 80)
    if red.sum() < 20 or blue.sum() < 20:
        return np.zeros((0, 4))
    rows, columns = np.nonzero(red | blue)
    upright = np.nonzero(red)[0].mean() + 5.0 < np.nonzero(blue)[0].mean()
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max() + 1, rows.max() + 1])
    return np.array([[*low, *(high - low)]], dtype=np.float64)[: int(upright)]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_face_is_found_once_at_its_place_whichever_way_up(turns: int) -> None:
    image = np.full((90, 140, 3), 128, np.uint8)
    patch = np.zeros((24, 24, 3), np.uint8)
    face(patch, 0, 0)
    image[40:64, 100:124] = np.rot90(patch, turns)
    np.testing.assert_allclose(find_faces(image, oracle), [[100.0, 40.0, 24.0, 24.0]])


def test_a_blurred_face_holds_a_few_colours_and_the_rest_is_untouched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    result = blur_boxes(image, np.array([[50.0, 40.0, 40.0, 40.0], [150.0, 110.0, 30.0, 30.0]]))
    inside = result[30:90, 40:100]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 16
    untouched = np.ones((120, 160), bool)
    untouched[30:90, 40:100] = False
    untouched[102:, 142:] = False
    np.testing.assert_array_equal(result[untouched], image[untouched])


def test_faces_of_a_capture_are_blurred_and_counted_in_a_warning(tmp_path: Path) -> None:
    ingest(write_folder(export("canonical", count=4), tmp_path / "in"), tmp_path / "capture")
    pictures = sorted((tmp_path / "capture/rgb").iterdir())
    camera = load_capture(tmp_path / "capture").frames[0].color_camera
    assert camera is not None
    for picture in pictures:
        image = np.full((camera.height, camera.width, 3), 128, np.uint8)
        if picture == pictures[0]:
            face(image, 60, 50)
        Image.fromarray(image).save(picture, "JPEG", quality=95)
    before = tree(tmp_path / "capture")
    assert blur_faces(tmp_path / "capture", oracle) == 1
    after = tree(tmp_path / "capture")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"rgb/{pictures[0].name}", "capture.json"}
    capture = load_capture(tmp_path / "capture")
    assert capture.warnings[-1] == f"Blurred faces: 1, in 1 of {len(pictures)} pictures."
    color = capture.frames[0].color()
    assert color is not None
    assert len(np.unique(color[50:74, 60:84].reshape(-1, 3) // 32, axis=0)) <= 32


def test_a_file_that_is_no_model_is_refused_with_where_to_get_one(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra `vision`")
    from cousins.capture.yunet import YuNet

    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(InputError, match=r"no model that OpenCV's face detector runs; expected YuNet's model"):
        YuNet(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"nothing there.*model zoo"):
        YuNet(tmp_path / "missing.onnx")
