"""Face detection by YuNet (Wu et al., 2023) through OpenCV; the user provides the model file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array

MIN_SCORE: Final = 0.5
"""Least score of a detection; low on purpose, since a blurred cushion does less harm than a visible face."""
MAX_BOX_OVERLAP: Final = 0.3
"""Intersection over union above which boxes are merged (non-maximum suppression)."""
MAX_BOXES: Final = 500
"""Maximum number of boxes per image."""
MAX_SIDE_PX: Final = 1280
"""Longest image side [px]; larger images are reduced: YuNet was trained on faces of 10 to 300 pixels."""
TEST_IMAGE_PX: Final = 320
"""Side of the blank image on which a model is tested when it is loaded [px]."""


class YuNet:
    """YuNet face detector."""

    def __init__(self, model: Path) -> None:
        """Load the model file and test it; raises InputError where it cannot be used."""
        if not model.is_file():
            raise _model_error(model, "nothing there")
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(model), "", (TEST_IMAGE_PX, TEST_IMAGE_PX), MIN_SCORE, MAX_BOX_OVERLAP, MAX_BOXES
            )
            self(np.zeros((TEST_IMAGE_PX, TEST_IMAGE_PX, 3), np.uint8))
        except cv2.error as error:
            raise _model_error(model, "no model that OpenCV's face detector runs") from error

    def __call__(self, image: Array) -> Array:
        """Return boxes (left, top, width, height) [px], float64 [n, 4], of faces in uint8 [h, w, 3]."""
        height, width = image.shape[:2]
        scale = min(1.0, MAX_SIDE_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else image
        self._net.setInputSize(size)
        detections: Array | None = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        return np.zeros((0, 4)) if detections is None else np.asarray(detections[:, :4], dtype=np.float64) / scale


def _model_error(model: Path, problem: str) -> InputError:
    return InputError(
        f"{str(model)!r}: {problem}",
        expected="YuNet's model, such as face_detection_yunet_2023mar.onnx of OpenCV's model zoo",
        hint="Download it there and type --blur-faces PATH.",
    )
