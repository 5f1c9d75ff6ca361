"""A mask model that returns the ground truth of a simulated capture, as a perfect Segment Anything would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.prompted.prompts import MaskPredictions, Prompts


@dataclass(frozen=True, eq=False)
class OracleMaskModel:
    """A `MaskModel` that returns true masks."""

    masks: Sequence[Mapping[int, Array]]
    """True masks of each body by frame index, bool [h, w]."""

    def encode(self, frame: Frame) -> OracleFrame:
        """Return the frame's truth: the number of the body at each pixel, -1 for none."""
        bodies = np.full(frame.depth_m.shape, -1, dtype=np.int64)
        for number, by_frame in enumerate(self.masks):
            if frame.index in by_frame:
                bodies[by_frame[frame.index]] = number
        return OracleFrame(bodies)


@dataclass(frozen=True, eq=False)
class OracleFrame:
    """The true body of each pixel of a frame."""

    bodies: Array
    """Number of the body at each pixel, -1 for none, int64 [h, w]."""

    def predict(self, prompts: Prompts) -> MaskPredictions:
        """Return the visible mask [n, 1, h, w] of the body, or of the background, at the first point of each prompt.

        Boxes and further points of a prompt are ignored.
        """
        column, row = np.rint(prompts.points[:, 0]).astype(np.int64).T
        prompted_bodies = self.bodies[row, column]
        masks = self.bodies[None] == prompted_bodies[:, None, None]
        return MaskPredictions(masks=masks[:, None], scores=np.ones((len(prompts), 1)))
