"""A mask model that knows: it answers from the truth of a simulated capture, as a perfect Segment Anything would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cousins.capture.captures import Frame
from cousins.geometry import Array
from cousins.segment.prompted.prompts import Answers, Prompts


@dataclass(frozen=True, eq=False)
class Oracle:
    """Answers the `MaskModel` protocol."""

    masks: Sequence[Mapping[int, Array]]
    """By body: its true masks by frame index, bool [h, w]."""

    def look(self, frame: Frame) -> KnownFrame:
        """Return the frame's truth: the number of the body at each pixel, -1 for none."""
        bodies = np.full(frame.depth_m.shape, -1, dtype=np.int64)
        for number, by_frame in enumerate(self.masks):
            if frame.index in by_frame:
                bodies[by_frame[frame.index]] = number
        return KnownFrame(bodies)


@dataclass(frozen=True, eq=False)
class KnownFrame:
    """A frame whose bodies are known."""

    bodies: Array
    """Number of the body at each pixel, -1 for none, int64 [h, w]."""

    def ask(self, prompts: Prompts) -> Answers:
        """Return the body under the first point of each question: all of it that the frame sees, or all that is none.

        A perfect model is told what is meant by a point and takes a box as no more than a hint.
        """
        column, row = np.rint(prompts.points[:, 0]).astype(np.int64).T
        meant = self.bodies[row, column]
        masks = self.bodies[None] == meant[:, None, None]
        return Answers(masks=masks[:, None], scores=np.ones((len(prompts), 1)))
