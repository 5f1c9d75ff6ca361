from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy import ndimage

from cousins.capture.captures import Capture
from cousins.errors import CaptureError
from cousins.geometry import invert, rigid, rotation_about, rotation_angle_rad, transform, unproject
from cousins.meshes import Mesh
from sim.synthetic.lidar_noise import LidarConfig, TrueDepth, measure_depth, noiseless_lidar, true_depth
from sim.synthetic.phone import (
    COLOR_CAMERA,
    DEPTH_SIZE,
    PhoneBody,
    PhoneConfig,
    PhoneWorld,
    Truth,
    noiseless_phone,
    record_capture,
    truth_segmentation,
)
from sim.synthetic.trajectory import drifted, orbit

CAMERA = COLOR_CAMERA.scaled(*DEPTH_SIZE)
SHAPE = (192, 256)


def _box(size: tuple[float, float, float], centre: tuple[float, float, float]) -> Mesh:
    return Mesh.from_trimesh(trimesh.creation.box(size)).transformed(rigid(None, np.array(centre)))


def _world() -> PhoneWorld:
    bodies = (
        PhoneBody(name="box", label="a box", mesh=_box((0.1, 0.2, 0.15), (0, 0, 0.075)), world_from_body=rigid()),
        PhoneBody(
            name="cube",
            label="a cube",
            mesh=_box((0.06, 0.06, 0.06), (0, 0, 0.03)),
            world_from_body=rigid(None, np.array([0.15, 0.1, 0.0])),
        ),
    )
    return PhoneWorld(bodies=bodies, structures=(("table", _box((1.4, 1.4, 0.04), (0, 0, -0.02))),))


def _config(config: PhoneConfig) -> PhoneConfig:
    return replace(config, frames=3, color_width=320, color_every=2, shadows=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Capture, Truth]:
    folder = tmp_path_factory.mktemp("phone") / "capture"
    return record_capture(_world(), folder, config=_config(noiseless_phone()), rng=np.random.default_rng(0))


def _wall(range_m: float) -> TrueDepth:
    depth = range_m / np.linalg.norm(unproject(np.ones(SHAPE), CAMERA), axis=-1)
    return TrueDepth(
        depth_m=depth,
        nearest_m=depth,
        farthest_m=depth,
        crossed=np.zeros(SHAPE, dtype=bool),
        facing=np.ones(SHAPE),
    )


def _range_errors(range_m: float, *, bias_m: float = 0.0) -> np.ndarray:
    errors = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        depth, _ = measure_depth(_wall(range_m), CAMERA, bias_m=bias_m, config=LidarConfig(), rng=rng)
        errors.append(depth * np.linalg.norm(unproject(np.ones(SHAPE), CAMERA), axis=-1) - range_m)
    return np.array(errors)


@pytest.mark.parametrize("range_m", [0.4, 1.2, 3.0])
def test_a_pixel_errs_by_two_millimetres_and_half_a_percent_plus_half_of_that_shared_with_neighbours(
    range_m: float,
) -> None:
    sigma_m = 0.002 + 0.005 * range_m
    errors = _range_errors(range_m)
    assert errors.std() == pytest.approx(sigma_m * np.sqrt(1.25), rel=0.015)
    differences = errors[:, :, 1:] - errors[:, :, :-1]
    assert differences.std() == pytest.approx(sigma_m * np.sqrt(2.0), rel=0.03)
    together = (errors[:, :, 1:] * errors[:, :, :-1]).mean()
    assert together == pytest.approx((0.5 * sigma_m) ** 2, rel=0.2)
    apart = (errors[:, :, 20:] * errors[:, :, :-20]).mean()
    assert abs(apart) < 0.1 * (0.5 * sigma_m) ** 2


def test_a_bias_lengthens_the_ray_and_not_the_planar_depth() -> None:
    errors = _range_errors(1.0, bias_m=0.004).mean(axis=0)
    assert errors.mean() == pytest.approx(0.004, abs=1e-4)
    assert errors[:20, :20].mean() == pytest.approx(0.004, abs=5e-4)


def test_pixels_on_an_edge_fly_between_fore_and_background_with_low_confidence() -> None:
    fine = np.full((192 * 3, 256 * 3), 1.0)
    fine[:, 385:] = 0.6
    truth = true_depth(fine, np.ones(SHAPE), config=LidarConfig())
    assert np.all(truth.crossed == (np.arange(256) == 128)[None])
    depth, confidence = measure_depth(truth, CAMERA, bias_m=0.0, config=LidarConfig(), rng=np.random.default_rng(0))
    flying = (depth > 0.65) & (depth < 0.95)
    assert flying[:, 128].mean() > 0.6
    assert 0.2 < flying[:, [127, 129]].mean() < 0.35
    assert not flying[:, :127].any()
    assert not flying[:, 130:].any()
    assert confidence[flying].max() <= 1
    assert (confidence[flying] == 0).mean() > 0.6
    assert (confidence[:, :120] == 2).mean() > 0.9


def test_a_tilted_plane_has_no_edges_however_steep() -> None:
    rows = np.arange(192 * 3)[:, None]
    fine = 1.0 / (0.3 + rows * 0.004) * np.ones((1, 256 * 3))
    assert not true_depth(fine, np.ones(SHAPE), config=LidarConfig()).crossed.any()


def test_confidence_falls_at_grazing_incidence_and_far_away() -> None:
    rng = np.random.default_rng(0)
    grazing = replace(_wall(1.0), facing=np.full(SHAPE, 0.05))
    assert measure_depth(grazing, CAMERA, bias_m=0.0, config=LidarConfig(), rng=rng)[1].max() == 0
    far, confidence = measure_depth(_wall(4.0), CAMERA, bias_m=0.0, config=LidarConfig(), rng=rng)
    assert confidence.max() == 1
    assert measure_depth(_wall(6.0), CAMERA, bias_m=0.0, config=LidarConfig(), rng=rng)[0].max() == 0.0
    assert far.min() > 0.0


def test_reported_poses_drift_to_five_millimetres_and_a_third_of_a_degree() -> None:
    rng = np.random.default_rng(3)
    poses = orbit(
        np.zeros(3), 80, radius_m=(0.4, 1.0), elevation_rad=(0.3, 1.0), turns=1.1, shake_m=0.0, shake_rad=0.0, rng=rng
    )
    reported = drifted(poses, reach_m=0.005, reach_rad=np.deg2rad(0.3), rng=rng)
    shifts = np.linalg.norm(reported[:, :3, 3] - poses[:, :3, 3], axis=1)
    turns = np.array([rotation_angle_rad(a[:3, :3].T @ b[:3, :3]) for a, b in zip(reported, poses, strict=True)])
    assert shifts.max() == pytest.approx(0.005, rel=1e-6)
    assert np.rad2deg(turns.max()) == pytest.approx(0.3, rel=1e-6)
    assert np.abs(np.diff(shifts)).max() < 0.003
    np.testing.assert_allclose(reported[0], poses[0])


def test_the_walk_keeps_its_distance_and_looks_at_the_target() -> None:
    target = np.array([0.2, -0.1, 0.8])
    poses = orbit(
        target,
        100,
        radius_m=(0.5, 0.9),
        elevation_rad=(0.3, 1.0),
        turns=1.0,
        shake_m=0.0,
        shake_rad=0.0,
        rng=np.random.default_rng(0),
    )
    distances = np.linalg.norm(poses[:, :3, 3] - target, axis=1)
    assert distances.min() >= 0.5 - 1e-9
    assert distances.max() <= 0.9 + 1e-9
    targets_in_camera = np.array([transform(invert(pose), target) for pose in poses])
    np.testing.assert_allclose(targets_in_camera[:, :2], 0.0, atol=1e-9)
    assert np.all(poses[:, 2, 1] < 0.0)


def test_without_noise_depth_equals_the_truth_to_half_a_millimetre(recorded: tuple[Capture, Truth]) -> None:
    capture, truth = recorded
    for frame, depth, pose in zip(capture.frames, truth.depth_m, truth.world_from_camera, strict=True):
        np.testing.assert_allclose(frame.depth_m, depth, atol=0.000501)
        np.testing.assert_allclose(frame.world_from_camera, pose, atol=1e-8)
        assert np.all(frame.confidence[depth > 0.0] == 2)


def test_the_true_masks_are_where_the_depth_lies_on_the_body(recorded: tuple[Capture, Truth]) -> None:
    capture, truth = recorded
    assert set(truth.masks) == {"box", "cube"}
    for segment in truth_segmentation(truth, capture).segments:
        corners = truth.meshes[segment.name].vertices
        assert np.all(segment.points >= corners.min(axis=0) - 0.001)
        assert np.all(segment.points <= corners.max(axis=0) + 0.001)
        assert len(segment.points) > 500
    for index, frame in enumerate(capture.frames):
        pose = frame.world_from_camera
        points = transform(pose, unproject(frame.depth_m, frame.depth_camera))
        raised = (points[..., 2] > 0.003) & (frame.depth_m > 0.0)
        owned = truth.masks["box"][index] | truth.masks["cube"][index]
        assert np.array_equal(raised, raised & owned)
        assert (owned & ~ndimage.binary_dilation(raised, np.ones((3, 3)))).sum() == 0


def test_colour_images_have_the_size_that_was_asked_for_and_show_the_scene(recorded: tuple[Capture, Truth]) -> None:
    capture, _ = recorded
    assert [frame.color_path is not None for frame in capture.frames] == [True, False, True]
    photo = capture.frames[0].color()
    assert photo is not None
    assert photo.shape == (240, 320, 3)
    assert photo.std() > 5.0


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("first", 1), ("second", 1), ("third", 2)):
        record_capture(_world(), tmp_path / name, config=_config(PhoneConfig()), rng=np.random.default_rng(seed))
    files = sorted(path.relative_to(tmp_path / "first") for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert len(files) == 3 + 3 + 2 + 1
    first, second, third = (
        [(tmp_path / name / file).read_bytes() for file in files] for name in ("first", "second", "third")
    )
    assert first == second
    assert all(a != b for a, b in zip(first, third, strict=True))


def test_a_frame_does_not_change_when_more_are_kept_in_colour(tmp_path: Path) -> None:
    config = _config(PhoneConfig())
    some, _ = record_capture(_world(), tmp_path / "some", config=config, rng=np.random.default_rng(1))
    every, _ = record_capture(
        _world(), tmp_path / "every", config=replace(config, color_every=1), rng=np.random.default_rng(1)
    )
    for a, b in zip(some.frames, every.frames, strict=True):
        np.testing.assert_array_equal(a.depth_m, b.depth_m)


def test_two_bodies_of_one_name_are_refused(tmp_path: Path) -> None:
    body = _world().bodies[0]
    with pytest.raises(CaptureError, match="a name of its own for each"):
        record_capture(
            PhoneWorld(bodies=(body, body)),
            tmp_path / "capture",
            config=noiseless_phone(),
            rng=np.random.default_rng(0),
        )


def test_a_world_without_anything_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="an empty world"):
        record_capture(
            PhoneWorld(bodies=()), tmp_path / "capture", config=noiseless_phone(), rng=np.random.default_rng(0)
        )


def test_a_quiet_lidar_is_exact() -> None:
    depth, confidence = measure_depth(
        _wall(1.0), CAMERA, bias_m=0.0, config=noiseless_lidar(), rng=np.random.default_rng(0)
    )
    np.testing.assert_allclose(depth, _wall(1.0).depth_m, rtol=1e-6)
    assert np.all(confidence == 2)


def test_the_camera_follows_a_given_path_with_its_own_depth_image(tmp_path: Path) -> None:
    config = replace(_config(noiseless_phone()), depth_size=(128, 96))
    path = np.stack(
        [rigid(rotation_about(np.array([1.0, 0.0, 0.0]), np.pi), np.array([x, 0.0, 1.0])) for x in (0, 0.1)]
    )
    capture, truth = record_capture(_world(), tmp_path / "c", config=config, rng=np.random.default_rng(0), path=path)
    assert [frame.depth_m.shape for frame in capture.frames] == [(96, 128)] * 2
    assert np.stack([frame.world_from_camera for frame in capture.frames]) == pytest.approx(path, abs=1e-6)
    assert capture.frames[0].depth_m[40, 60] == pytest.approx(truth.depth_m[0][40, 60], abs=0.001)
    assert np.abs(truth.depth_m[0][truth.depth_m[0] > 0.0] - 1.0).min() < 0.001
