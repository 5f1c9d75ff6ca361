from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cousins.geometry import Array, Intrinsics, invert, project, transform, unproject
from cousins.stereo.agreement import DepthMap
from cousins.stereo.depth import StereoConfig, depth_maps
from cousins.stereo.views import StereoView
from tests.cousins.photos.corner import depth_of, photograph, poses

CAMERA = Intrinsics(width=192, height=144, fx=168.0, fy=168.0, cx=95.5, cy=71.5)
QUICK = StereoConfig(long_side=96, views=4, coarse_sweeps=4, fine_sweeps=2, agreeing_sweeps=1, threads=1)


def scene(count: int) -> tuple[list[StereoView], Array, list[Array]]:
    """Return views, sparse points and poses."""
    rng = np.random.default_rng(0)
    places = poses(count)
    points = np.concatenate(
        [
            transform(pose, unproject(depth_of(pose, CAMERA), CAMERA).reshape(-1, 3)[rng.choice(192 * 144, 60)])
            for pose in places
        ]
    )
    views = []
    for pose in places:
        pixels, z = project(transform(invert(pose), points), CAMERA)
        visible = (z > 0.0) & np.all((pixels > 0) & (pixels < [191, 143]), axis=1)
        gray = photograph(pose, CAMERA)[..., 0].astype(np.float32) / np.float32(255.0)
        views.append(StereoView(gray=gray, camera=CAMERA, world_from_camera=pose, points=np.flatnonzero(visible)))
    return views, points, places


@pytest.fixture(scope="module")
def depths_and_poses() -> tuple[list[DepthMap | None], list[Array]]:
    views, points, places = scene(5)
    return depth_maps(views, points, config=QUICK), places


def test_depth_is_right_to_a_few_thousandths_nearly_everywhere(
    depths_and_poses: tuple[list[DepthMap | None], list[Array]],
) -> None:
    for depth, pose in zip(*depths_and_poses, strict=True):
        assert depth is not None
        truth = depth_of(pose, depth.camera)
        is_known = depth.depth > 0.0
        off = np.abs(depth.depth / truth - 1.0)[is_known]
        assert is_known.mean() > 0.5
        assert np.median(off) < 0.003
        assert np.quantile(off, 0.95) < 0.02


def test_only_depth_that_other_views_confirm_is_kept(
    depths_and_poses: tuple[list[DepthMap | None], list[Array]],
) -> None:
    for depth in depths_and_poses[0]:
        assert depth is not None
        assert ((depth.confidence > 0) == (depth.depth > 0.0)).all()
        assert {1, 2} >= set(np.unique(depth.confidence[depth.depth > 0.0]))


def test_the_same_depth_comes_out_of_any_number_of_threads(
    depths_and_poses: tuple[list[DepthMap | None], list[Array]],
) -> None:
    views, points, _ = scene(5)
    again = depth_maps(views, points, config=replace(QUICK, threads=3))
    for first, second in zip(depths_and_poses[0], again, strict=True):
        assert first is not None
        assert second is not None
        assert first.depth.tobytes() == second.depth.tobytes()


def test_a_view_that_shares_nothing_has_no_depth() -> None:
    views, points, _ = scene(3)
    lonely = replace(views[0], points=np.zeros(0, dtype=np.int64))
    assert depth_maps([*views, lonely], points, config=QUICK)[3] is None
