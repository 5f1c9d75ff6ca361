from __future__ import annotations

import numpy as np

from cousins.segment.masks import competing_points


def test_far_points_do_not_compete_for_pixels() -> None:
    rest = np.array([[0.02, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert np.array_equal(competing_points(rest, np.zeros((1, 3))), rest[:1])
