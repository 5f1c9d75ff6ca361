"""Faces by YuNet (Wu et al., 2023) through OpenCV; the user brings the model file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cousins.errors import InputError
from cousins.geometry import Array

LEAST_SCORE: Final = 0.5
"""Boxes of a lower score are none; low on purpose, since a blurred cushion harms less than a face."""
OVERLAP: Final = 0.3
"""Boxes that overlap more are one face."""
MOST: Final = 500
"""Most boxes of a picture."""
LONGEST_PX: Final = 1280
"""Longer pictures are reduced: YuNet was trained on faces of 10 to 300 pixels."""
BLANK_PX: Final = 320
"""Side of the blank picture that a new model is tried on."""


class YuNet:
    """YuNet with the model file that the user named."""

    def __init__(self, model: Path) -> None:
        """Load the model and try it; raises InputError where it is none."""
        if not model.is_file():
            raise _refused(model, "nothing there")
        try:
            self._net = cv2.FaceDetectorYN.create(str(model), "", (BLANK_PX, BLANK_PX), LEAST_SCORE, OVERLAP, MOST)
            self(np.zeros((BLANK_PX, BLANK_PX, 3), np.uint8))
        except cv2.error as error:
            raise _refused(model, "no model that OpenCV's face detector runs") from error

    def __call__(self, image: Array) -> Array:
        """Return boxes (left, top, width, height) [px], float64 [n, 4]."""
        height, width = image.shape[:2]
        scale = min(1.0, LONGEST_PX / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else image
        self._net.setInputSize(size)
        found: Array | None = self._net.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        return np.zeros((0, 4)) if found is None else np.asarray(found[:, :4], dtype=np.float64) / scale


def _refused(model: Path, what: str) -> InputError:
    return InputError(
        f"{str(model)!r}: {what}",
        expected="YuNet's model, such as face_detection_yunet_2023mar.onnx of OpenCV's model zoo",
        hint="Download it there and type --blur-faces PATH.",
    )
