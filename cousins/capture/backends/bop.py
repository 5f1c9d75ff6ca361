"""A scene folder of the BOP benchmark: rgb/000000.png (or .jpg), depth/000000.png and scene_camera.json.

scene_camera.json holds, by image number, `cam_K` (3×3 row by row, px), `depth_scale` (millimetres a count of depth),
and where the world is known `cam_R_w2c`, `cam_t_w2c`: world to camera, OpenCV axes [mm] (BOP toolkit,
docs/bop_datasets_format.md). Where it is not, the poses come from scene_gt.json: a static object visible in every image
(`obj_id`, `cam_R_m2c`, `cam_t_m2c`: model to camera [mm]) defines the world frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cousins.capture.captures import Capture
from cousins.capture.decoders import parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.formats.camera_files import camera_from_matrix
from cousins.capture.formats.frame_selection import read_valid
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT_SCALE,
    DepthDecoder,
    PosedFrame,
    write_posed_frames,
)
from cousins.errors import CaptureError
from cousins.geometry import Array, invert, rigid

_CAMERA_FILE, _POSES_FILE = "scene_camera.json", "scene_gt.json"
_DEPTH_NAME = re.compile(r"depth/(\d{1,9})\.png")
_COLOR_PATTERNS = ("rgb/{}.png", "rgb/{}.jpg")
_RATE_HZ = 30.0
"""Assumed frame rate [Hz]: the format has no timestamps, and image numbers count the frames of a recording."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> BopReader:
    """Return the reader."""
    return BopReader(config or Config())


class BopReader:
    """Reader of one scene of a BOP data set."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is a scene_camera.json."""
        return _CAMERA_FILE in source.names

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write every image that has depth, a camera and a pose."""
        cameras = _by_number(source, _CAMERA_FILE)
        numbers = {match[1]: int(match[1]) for name in source.names if (match := _DEPTH_NAME.fullmatch(name))}
        stems = sorted((stem for stem, number in numbers.items() if number in cameras), key=numbers.__getitem__)
        if not stems:
            raise CaptureError(
                f"no depth image that {_CAMERA_FILE} names in {source.label}",
                expected="depth/000000.png and so on",
                hint="Name the folder of one scene, such as test/000048, with its depth images.",
            )
        warnings: list[str] = []
        records = {stem: _record(cameras[numbers[stem]], stem) for stem in stems}
        poses = _world_poses(records) or _object_poses(source, stems, warnings)
        frames = read_valid(stems, lambda stem: _posed_frame(source, stem, poses[stem]()), warnings)
        matrices = {f"depth/{stem}.png": records[stem] for stem in stems}
        scales = {_depth_scale(record, stem) for stem, record in records.items()}
        if len(scales) != 1:
            raise CaptureError(
                f"depth_scale of {len(scales)} values in {_CAMERA_FILE}",
                expected="one",
                hint="Give one scene at a time.",
            )
        decoder = DepthDecoder(
            metres=lambda counts: counts * (min(scales) / 1000.0),
            camera=lambda frame, size: camera_from_matrix(
                _matrix(matrices[frame.depth], frame.depth), size, context=_CAMERA_FILE
            ),
        )
        return write_posed_frames(
            source,
            destination,
            frames,
            decoder,
            app="BOP scene",
            scale=STRUCTURED_LIGHT_SCALE,
            up_source="unknown",
            timed=False,
            warnings=warnings,
        )


def _world_poses(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return a function by image that parses its pose, or None where the world frame is not known in all images."""
    if any("cam_R_w2c" not in record for record in records.values()):
        return None
    return {
        stem: lambda record=record, stem=stem: invert(_pose(record, "w2c", context=f"{_CAMERA_FILE}, image {stem}"))
        for stem, record in records.items()
    }


def _object_poses(source: ExportFiles, stems: Sequence[str], warnings: list[str]) -> dict[str, Any]:
    """Return a function by image that parses its pose in the frame of an object that every image shows exactly once."""
    if len(stems) == 1:
        return {stems[0]: lambda: np.eye(4)}
    records = _by_number(source, _POSES_FILE) if _POSES_FILE in source.names else {}
    objects_by_stem = {stem: _unique_objects(records.get(int(stem), []), stem) for stem in stems}
    shared = set.intersection(*(set(objects) for objects in objects_by_stem.values()))
    if not shared:
        raise CaptureError(
            f"{len(stems)} images without a world in {source.label}",
            expected=f"cam_R_w2c in {_CAMERA_FILE}, or one object in {_POSES_FILE} that every image shows",
            hint="Give a folder with a single image, or of a data set that tells its camera's path.",
        )
    object_id = min(shared)
    warnings.append(f"The poses are those of object {object_id} in {_POSES_FILE}: if it was moved, they are wrong.")
    return {
        stem: lambda record=objects_by_stem[stem][object_id], stem=stem: invert(
            _pose(record, "m2c", context=f"{_POSES_FILE}, image {stem}")
        )
        for stem in stems
    }


def _unique_objects(entries: Any, stem: str) -> dict[int, Mapping[str, Any]]:
    """Return the records of the objects that an image shows exactly once, by object number."""
    context = f"{_POSES_FILE}, image {stem}"
    records = [parsing.mapping(entry, context=context) for entry in parsing.sequence(entries, context=context)]
    numbers = [parsing.integer(record.get("obj_id"), context=context, low=0, high=10**9) for record in records]
    return {n: record for n, record in zip(numbers, records, strict=True) if numbers.count(n) == 1}


def _posed_frame(source: ExportFiles, stem: str, world_from_camera: Array) -> PosedFrame:
    color = next((name for form in _COLOR_PATTERNS if (name := form.format(stem)) in source.names), None)
    return PosedFrame(
        time_s=int(stem) / _RATE_HZ, world_from_camera=world_from_camera, depth=f"depth/{stem}.png", color=color
    )


def _by_number(source: ExportFiles, name: str) -> dict[int, Any]:
    """Return the entries of a file by image number; non-numeric keys are skipped."""
    data = source.read(name, max_bytes=parsing.MAX_JSON_BYTES)
    record = parsing.mapping(parsing.parse_json(data, context=name), context=name)
    return {int(key): value for key, value in record.items() if re.fullmatch(r"[0-9]{1,9}", key)}


def _record(value: Any, stem: str) -> Mapping[str, Any]:
    return parsing.mapping(value, context=f"{_CAMERA_FILE}, image {stem}")


def _depth_scale(record: Mapping[str, Any], stem: str) -> float:
    context = f"{_CAMERA_FILE}, image {stem} depth_scale"
    return parsing.number(record.get("depth_scale", 1.0), context=context, low=1e-4, high=1000.0)


def _matrix(record: Mapping[str, Any], context: str) -> Array:
    return parsing.numbers(record.get("cam_K"), 9, context=f"cam_K of {context}").reshape(3, 3)


def _pose(record: Mapping[str, Any], kind: str, *, context: str) -> Array:
    """Return a validated pose [4, 4] [m] of `cam_R_*` and `cam_t_*`."""
    rotation = parsing.numbers(record.get(f"cam_R_{kind}"), 9, context=context).reshape(3, 3)
    return parsing.pose(
        rigid(rotation, parsing.numbers(record.get(f"cam_t_{kind}"), 3, context=context) / 1000.0), context=context
    )
