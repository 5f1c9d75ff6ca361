"""Convention check and quality report of a capture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cousins.capture.captures import Capture, Frame, Scale
from cousins.capture.ingest import ingest
from cousins.capture.quality.assessment import QualityReport, assess_quality
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.errors import ConventionError
from cousins.geometry import Array, Intrinsics, look_at, rigid, rotation_about
from tests.cousins.capture.exports import export
from tests.cousins.capture.room import cast, paint, write_folder

CAMERA = Intrinsics(width=64, height=48, fx=48.0, fy=48.0, cx=31.5, cy=23.5)
CENTER = np.array([0.0, 0.0, 0.3])


def orbit(degrees: float, *, count: int = 24, height_m: float = 1.2, radius_m: float = 1.2) -> Capture:
    eyes = [
        np.array([radius_m * np.cos(a), radius_m * np.sin(a), height_m + 0.3 * np.sin(3 * a)])
        for a in np.deg2rad(np.linspace(0.0, degrees, count))
    ]
    return capture_of([look_at(eye, CENTER) for eye in eyes])


def capture_of(poses: list[Array], *, step_s: float = 0.25) -> Capture:
    frames = [
        Frame(
            index=index,
            timestamp_s=step_s * index,
            world_from_camera=pose,
            depth_camera=CAMERA,
            depth_m=cast(pose, CAMERA)[0].astype(np.float32),
            confidence=np.full((48, 64), 2, np.uint8),
        )
        for index, pose in enumerate(poses)
    ]
    return Capture(name="room", device="", app="", frames=tuple(frames), scale=Scale(source="lidar", error=0.01))


def changed(capture: Capture, change: Callable[[Frame], Frame]) -> Capture:
    return replace(capture, frames=tuple(change(frame) for frame in capture.frames))


def rules(report: QualityReport) -> set[str]:
    return {finding.rule for finding in report.findings}


def test_one_frame_cannot_be_probed_and_that_is_no_failure() -> None:
    capture = orbit(0.0, count=1)
    report = check_camera_convention(capture)
    assert not report.conclusive
    assert report.pairs == 0
    assert "moved too little" in report.warnings[0]


def test_frames_without_depth_are_passed_over() -> None:
    blind = changed(orbit(200.0), lambda f: replace(f, depth_m=f.depth_m * (0.0 if f.index % 2 else 1.0)))
    assert check_camera_convention(blind).conclusive
    dark = changed(blind, lambda f: replace(f, depth_m=f.depth_m * np.float32(0.0)))
    assert check_camera_convention(dark).pairs == 0
    assert "no-depth" in rules(assess_quality(dark))


def test_frames_that_never_overlap_are_inconclusive() -> None:
    poses = [look_at(np.array([0.0, 1.0, 1.2]), np.array([0.0, 1.0, 1.2]) + d) for d in np.eye(3)[:2]]
    assert not check_camera_convention(capture_of(poses)).conclusive


def test_the_error_names_both_scores_and_the_true_convention() -> None:
    flipped = changed(
        orbit(200.0),
        lambda frame: replace(frame, world_from_camera=frame.world_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0])),
    )
    with pytest.raises(ConventionError, match=r"\d+% of the points fit as declared, \d+% as .*OpenGL for OpenCV"):
        check_camera_convention(flipped)


def test_depth_in_another_unit_is_found_though_hardly_any_lies_in_a_phones_range() -> None:
    for factor, called in ((10.0, r"or depth (9|10|11)(\.\d)? times"), (0.1, r"or depth 0\.(09|1)\d* times")):
        with pytest.raises(ConventionError, match=called):
            check_camera_convention(_scaled(orbit(200.0), depth=factor, positions=1.0))


def test_a_capture_that_is_small_as_a_whole_is_no_broken_one() -> None:
    assert check_camera_convention(_scaled(orbit(200.0), depth=0.08, positions=0.08)).conclusive


def _scaled(capture: Capture, *, depth: float, positions: float) -> Capture:
    def scale(frame: Frame) -> Frame:
        pose = rigid(frame.world_from_camera[:3, :3], positions * frame.world_from_camera[:3, 3])
        return replace(frame, world_from_camera=pose, depth_m=frame.depth_m * np.float32(depth))

    return changed(capture, scale)


def test_noise_and_drift_do_not_fool_the_probe() -> None:
    rng = np.random.default_rng(3)

    def disturb(frame: Frame) -> Frame:
        drift = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.0015 * frame.index), np.full(3, 0.0015 * frame.index))
        noisy = frame.depth_m * (1.0 + rng.normal(0.0, 0.01, frame.depth_m.shape))
        return replace(frame, world_from_camera=drift @ frame.world_from_camera, depth_m=noisy.astype(np.float32))

    report = check_camera_convention(changed(orbit(300.0), disturb))
    assert report.conclusive
    assert report.declared_score > 2.0 * report.rival_score


def test_a_full_circle_is_praised_by_silence() -> None:
    report = assess_quality(orbit(360.0, count=48))
    assert rules(report) == {"no-color"}
    assert report.metrics["azimuth_deg"] == pytest.approx(352.3, abs=0.5)
    assert report.metrics["loop_residual_mm"] < 15.0


def test_a_quarter_circle_names_the_sides_that_were_missed() -> None:
    report = assess_quality(orbit(90.0))
    finding = next(finding for finding in report.findings if finding.rule == "not-all-around")
    assert "90°" in finding.message
    assert "back and left" in finding.message
    assert "Walk all the way around" in finding.fix


def test_one_spot_is_one_direction() -> None:
    still = [look_at(np.array([1.2, 0.02 * i, 1.0]), CENTER) for i in range(8)]
    assert "seen-from-one-direction" in rules(assess_quality(capture_of(still)))


def test_a_room_seen_from_its_middle_needs_no_walk_around() -> None:
    eye = np.array([0.9, 0.9, 1.4])
    looks = [np.array([np.cos(a), np.sin(a), -0.2]) for a in np.linspace(0.0, 2 * np.pi, 24)]
    report = assess_quality(capture_of([look_at(eye, eye + look) for look in looks]))
    assert not rules(report) & {"not-all-around", "seen-from-one-direction"}


def test_a_pause_a_jump_and_haste_are_found_where_they_are() -> None:
    capture = orbit(360.0, count=48)
    paused = changed(capture, lambda f: replace(f, timestamp_s=f.timestamp_s + (4.0 if f.index > 10 else 0.0)))
    finding = next(finding for finding in assess_quality(paused).findings if finding.rule == "pause")
    assert "4.2 s" in finding.message
    assert finding.where == "after frame 10"
    shift = rigid(None, np.array([1.5, 0.0, 0.0]))
    jumped = changed(
        capture, lambda f: replace(f, world_from_camera=(shift if f.index > 20 else np.eye(4)) @ f.world_from_camera)
    )
    finding = next(finding for finding in assess_quality(jumped).findings if finding.rule == "pose-jump")
    assert finding.where == "after frame 20"
    assert "hasty" in rules(assess_quality(changed(capture, lambda f: replace(f, timestamp_s=f.timestamp_s / 3.0))))


def test_drift_is_measured_where_the_scan_meets_itself() -> None:
    def drift(frame: Frame) -> Frame:
        return replace(
            frame, world_from_camera=rigid(None, np.full(3, 0.04 * frame.index / 47)) @ frame.world_from_camera
        )

    report = assess_quality(changed(orbit(360.0, count=48), drift))
    assert "drift" in rules(report)
    assert report.metrics["loop_residual_mm"] > 15.0
    eye = np.array([1.0, 1.0, 1.4])
    ahead = [np.array([np.cos(a), np.sin(a), 0.0]) for a in np.linspace(-0.5, 2.0, 20)]
    assert "no-loop" in rules(assess_quality(capture_of([look_at(eye, eye + look) for look in ahead])))


def test_depth_that_the_phone_does_not_trust_is_reported() -> None:
    doubtful = changed(orbit(360.0, count=48), lambda f: replace(f, confidence=f.confidence * np.uint8(0)))
    assert "little-trusted-depth" in rules(assess_quality(doubtful))
    half = changed(
        orbit(360.0, count=48), lambda f: replace(f, confidence=np.where(np.arange(64) < 34, 0, f.confidence))
    )
    report = assess_quality(half)
    assert report.metrics["depth_trusted_share"] == pytest.approx(30 / 64)
    assert "47%" in next(finding for finding in report.findings if finding.rule == "little-trusted-depth").message


def test_blurred_pictures_are_found_whatever_they_show(tmp_path: Path) -> None:
    camera = Intrinsics(width=480, height=360, fx=360.0, fy=360.0, cx=239.5, cy=179.5)
    capture = orbit(360.0, count=3)

    def colored(frame: Frame, *, radius_px: float) -> Frame:
        path = tmp_path / f"{frame.index}-{radius_px}.png"
        picture = Image.fromarray(paint(cast(frame.world_from_camera, camera)[1]))
        picture.filter(ImageFilter.GaussianBlur(radius_px)).save(path)
        return replace(frame, color_camera=camera, color_path=path)

    sharp = assess_quality(changed(capture, lambda frame: colored(frame, radius_px=0.0)))
    soft = assess_quality(changed(capture, lambda frame: colored(frame, radius_px=5.0)))
    assert sharp.metrics["blur_median"] < soft.metrics["blur_median"]
    assert sharp.metrics["laplacian_variance_median"] > soft.metrics["laplacian_variance_median"]
    assert "blurred-color" in rules(soft)


def test_frames_without_times_are_not_called_hasty_or_torn_apart() -> None:
    capture = changed(orbit(360.0, count=24), lambda f: replace(f, timestamp_s=f.index / 30.0))
    assert {"hasty", "pose-jump"} <= rules(assess_quality(capture))
    untimed = assess_quality(replace(capture, timed=False))
    assert rules(untimed) == {"no-color"}
    assert "turn_median_rad_s" not in untimed.metrics


@pytest.mark.parametrize("app", ["photos", "film"])
def test_pictures_get_no_advice_for_a_lidar_or_a_recording(app: str) -> None:
    far = changed(
        _scaled(orbit(360.0, count=24), depth=3.0, positions=3.0),
        lambda f: replace(f, timestamp_s=f.timestamp_s + (9.0 if f.index > 10 else 0.0)),
    )
    assert {"too-far", "pause"} <= rules(assess_quality(far))
    assert not rules(assess_quality(replace(far, app=app))) & {"too-far", "too-near", "pause", "hasty", "pose-jump"}


def test_limits_of_distance_depend_on_the_camera() -> None:
    near = _scaled(orbit(360.0, count=24), depth=0.15, positions=0.15)
    assert "too-near" in rules(assess_quality(near))
    other = replace(near, scale=Scale(source="structured light", error=0.02))
    assert "too-near" not in rules(assess_quality(other))


def test_a_single_frame_gets_a_single_warning() -> None:
    assert rules(assess_quality(orbit(0.0, count=1))) == {"no-color", "one-frame"}


def test_gaps_between_depth_samples_in_a_finer_grid_are_no_missing_depth() -> None:
    full = orbit(360.0, count=24)
    camera = CAMERA.scaled(640, 480)

    def spread(frame: Frame) -> Frame:
        depth = np.zeros((480, 640), np.float32)
        depth[::2, ::2] = np.kron(frame.depth_m, np.ones((5, 5), np.float32))
        return replace(frame, depth_camera=camera, depth_m=depth, confidence=np.full(depth.shape, 2, np.uint8))

    assert "little-trusted-depth" not in rules(assess_quality(changed(full, spread)))


def test_sides_behind_a_wall_are_not_missed() -> None:
    wall = [look_at(np.array([-1.3 + 0.02 * i, 1.2, 1.3]), np.array([-2.0, 1.0, 1.2])) for i in range(8)]
    assert "not-all-around" not in rules(assess_quality(capture_of(wall)))


def test_every_finding_says_what_to_do() -> None:
    reports = [
        assess_quality(orbit(90.0)),
        assess_quality(orbit(0.0, count=1)),
        assess_quality(orbit(20.0, count=3, radius_m=0.1, height_m=1.0)),
    ]
    for finding in (finding for report in reports for finding in report.findings):
        assert finding.message.endswith(".")
        assert finding.fix.endswith(".")
        assert finding.severity in {"warning", "info"}


@pytest.mark.parametrize(
    ("name", "frames", "colored", "gravity"),
    [("captures/chair_3dscannerapp", 70, 24, True), ("restricted/doorhandle_record3d_mini", 11, 11, True)],
)
def test_a_real_export_is_read_and_its_poses_fit_its_depth(
    name: str,
    frames: int,
    colored: int,
    gravity: bool,  # noqa: FBT001
    shared_data: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    capture = ingest(shared_data(name), tmp_path / "out")
    assert len(capture.frames) == frames
    assert sum(frame.color_path is not None for frame in capture.frames) == colored
    assert capture.gravity_known == gravity
    report = check_camera_convention(capture)
    assert report.conclusive
    assert report.declared_score > 0.7
    assert report.rival_score < report.declared_score
    assert report.median_residual_mm < 8.0
    quality = assess_quality(capture)
    assert quality.metrics["neighbour_residual_mm"] < 4.0
    assert ("not-all-around" in rules(quality)) == ("chair" in name), "nobody can stand behind a door"
    assert "drift" not in rules(quality)


def test_the_ingested_room_has_a_convincing_report(tmp_path: Path) -> None:
    report = assess_quality(ingest(write_folder(export("scanner3d"), tmp_path / "in"), tmp_path / "out"))
    assert report.metrics["frames"] == 10.0
    assert report.metrics["duration_s"] == pytest.approx(1.8)
    assert report.metrics["color_share"] == pytest.approx(0.4)
