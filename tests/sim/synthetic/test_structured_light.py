"""Depth by triangulation: noise grows with the square of distance, and holes are where nothing can be matched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cousins.geometry import Array
from sim.synthetic.lidar_noise import TrueDepth
from sim.synthetic.structured_light import KINECT_CAMERA, kinect, measure_structured_light, realsense, shadowed

SHAPE = (480, 640)


def _flat(depth_m: float, *, facing: float = 1.0) -> TrueDepth:
    depth = np.full(SHAPE, depth_m)
    return TrueDepth(
        depth_m=depth,
        nearest_m=depth,
        farthest_m=depth,
        crossed=np.zeros(SHAPE, dtype=bool),
        facing=np.full(SHAPE, facing),
    )


def _noise_m(depth_m: float) -> float:
    config = replace(realsense(), disparity_step_px=1e-6)
    depth, _ = measure_structured_light(_flat(depth_m), KINECT_CAMERA, config=config, rng=np.random.default_rng(0))
    return float(depth[depth > 0.0].std())


def test_noise_grows_with_the_square_of_distance() -> None:
    assert abs(_noise_m(2.0) / _noise_m(1.0) - 4.0) < 0.1
    assert 0.001 < _noise_m(1.0) < 0.003


def test_grazing_and_far_surfaces_have_no_depth_and_the_rest_is_trusted() -> None:
    def is_measured(truth: TrueDepth) -> Array:
        depth, confidence = measure_structured_light(
            truth, KINECT_CAMERA, config=kinect(), rng=np.random.default_rng(0)
        )
        assert ((confidence == 2) == (depth > 0.0)).all()
        return np.asarray(depth > 0.0)

    assert not is_measured(_flat(1.0, facing=0.1)).any()
    assert not is_measured(_flat(6.0)).any()
    assert is_measured(_flat(1.0)).mean() > 0.98


def test_the_shadow_of_a_near_surface_lies_at_its_left() -> None:
    disparity = np.full((1, 40), 10.0)
    disparity[0, 20:30] = 16.0
    assert np.flatnonzero(shadowed(disparity)[0]).tolist() == list(range(15, 20))
