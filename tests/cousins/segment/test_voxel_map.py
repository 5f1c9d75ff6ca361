from __future__ import annotations

import numpy as np

from cousins.segment.surfaces.voxel_map import touching_voxels


def test_a_voxel_with_two_sides_touches_its_other_side_and_both_sides_touch_its_neighbour() -> None:
    pairs = touching_voxels(np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0]]))
    assert sorted(sorted(pair) for pair in pairs.tolist()) == [[0, 1], [0, 2], [1, 2]]
