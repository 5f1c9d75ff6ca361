"""Films of scenes by several cameras, written as a user would have them: with gravity or without.

| sensor | depth | written as | gravity |
|---|---|---|---|
| phone | LiDAR 256×192 | canonical capture | known |
| phone without gravity | the same | transforms.json, turned to the first camera | unknown |
| realsense | active stereo 640×480 | numbered frames, turned to the first camera | unknown |
| kinect | structured light 640×480 with shadows | TUM RGB-D, z up as that format promises | not measured |

A single view is one depth image with its colour and camera; its world is the camera.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from cousins.capture.captures import Capture, Frame
from cousins.geometry import Array, Intrinsics, invert
from places.place import Place
from sim.synthetic.phone import PhoneConfig, Truth, record_capture
from sim.synthetic.structured_light import KINECT_CAMERA, REALSENSE_CAMERA, kinect, realsense
from tests.cousins.capture.exports import EXPORTS
from tests.cousins.capture.room import Shot, png, write_folder

Sensor: TypeAlias = Literal["phone", "phone without gravity", "realsense", "kinect"]
"""Camera and whether it measures gravity."""
SENSORS: Final[tuple[Sensor, ...]] = ("phone", "realsense", "phone", "kinect", "phone without gravity")
"""Sensor by the number of a scene, repeated."""
FORMATS: Final[Mapping[Sensor, str]] = {
    "phone without gravity": "nerfstudio",
    "realsense": "seven_scenes",
    "kinect": "tum",
}
"""Format in which a sensor's recording is written; the canonical capture where there is none."""
TURNED: Final = ("phone without gravity", "realsense")
"""Sensors whose world is the first camera."""
START_S: Final = 100.0
"""Time of the first frame [s]."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Recording:
    """A film and what is true of it."""

    export: Path
    """What is scanned."""
    truth: Truth
    """True masks, depth, and camera poses in the scene's world."""
    sensor: Sensor
    """Camera."""
    depth_camera: Intrinsics
    """Camera of the true depth and masks."""

    @property
    def gravity_known(self) -> bool:
        """Whether the recording holds the direction of gravity."""
        return self.sensor == "phone" and len(self.truth.world_from_camera) > 1


def sensor_of(place: Place) -> Sensor:
    """Return the sensor that films a scene."""
    return SENSORS[place.seed % len(SENSORS)]


def with_sensor(phone: PhoneConfig, sensor: Sensor) -> PhoneConfig:
    """Return a phone's configuration with the camera and depth errors of a sensor."""
    if sensor == "realsense":
        return replace(phone, structured_light=realsense(), camera=REALSENSE_CAMERA, depth_size=(640, 480))
    if sensor == "kinect":
        return replace(phone, structured_light=kinect(), camera=KINECT_CAMERA, depth_size=(640, 480))
    return phone


def record(place: Place, folder: Path, rng: np.random.Generator) -> Recording:
    """Film a scene and write it as its sensor would."""
    sensor = sensor_of(place)
    config = with_sensor(place.phone, sensor)
    capture, truth = record_capture(place.world, folder / "capture", config=config, rng=rng, path=place.path)
    if len(capture.frames) == 1:
        export = _write_single_view(capture.frames[0], folder / "single")
    elif sensor in FORMATS:
        files = EXPORTS[FORMATS[sensor]][1](_shots(capture, turned=sensor in TURNED))
        export = write_folder(files, folder / "export")
    else:
        export = folder / "capture"
    return Recording(export=export, truth=truth, sensor=sensor, depth_camera=capture.frames[0].depth_camera)


def twin_from_truth(capture: Capture, truth: Truth) -> Array:
    """Return the rigid pose [4, 4] that brings the true camera poses closest to those of a capture.

    A twin has no place in the world but relative to the cameras that saw it, so drift that all frames share is no
    error. Raises `ValueError` where frames were left out of the capture.
    """
    frames = capture.all_frames
    if len(frames) != len(truth.world_from_camera):
        raise ValueError(f"{len(frames)} frames of {len(truth.world_from_camera)} that were recorded")
    reported = np.stack([frame.world_from_camera for frame in frames])
    true = np.stack(truth.world_from_camera)
    u, _, vt = np.linalg.svd(np.einsum("nij,nkj->ik", reported[:, :3, :3], true[:, :3, :3]))
    pose = np.eye(4)
    pose[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    pose[:3, 3] = (reported[:, :3, 3] - true[:, :3, 3] @ pose[:3, :3].T).mean(axis=0)
    return pose


def _shots(capture: Capture, *, turned: bool) -> tuple[Shot, ...]:
    """Return the frames as export writers take them; formats without confidence hold no depth of low confidence."""
    level = invert(capture.frames[0].world_from_camera) if turned else np.eye(4)
    color_camera = next(frame.color_camera for frame in capture.frames if frame.color_camera is not None)
    return tuple(
        Shot(
            time_s=START_S + round(0.2 * frame.index, 3),
            world_from_camera=level @ frame.world_from_camera,
            depth_mm=_depth_mm(frame),
            confidence=np.full(frame.depth_m.shape, 2, np.uint8),
            color_camera=color_camera,
            jpeg=None if frame.color_path is None else frame.color_path.read_bytes(),
        )
        for frame in capture.frames
    )


def _write_single_view(frame: Frame, folder: Path) -> Path:
    folder.mkdir(parents=True)
    assert frame.color_path is not None, "a single view has colour"
    camera = frame.depth_camera
    (folder / "view_depth.png").write_bytes(png(_depth_mm(frame)))
    (folder / "view_color.jpg").write_bytes(frame.color_path.read_bytes())
    record = {key: getattr(camera, key) for key in ("width", "height", "fx", "fy", "cx", "cy")}
    (folder / "camera.json").write_text(json.dumps(record))
    return folder


def _depth_mm(frame: Frame) -> Array:
    depth_m = np.where(frame.confidence > 0, frame.depth_m, 0.0)
    return np.asarray(np.round(depth_m * 1000.0).astype(np.uint16))
