"""A scene folder of the BOP benchmark: rgb/000000.png (or .jpg), depth/000000.png and scene_camera.json.

scene_camera.json holds, by image number, `cam_K` (3×3 row by row, px), `depth_scale` (millimetres a count of depth),
and where the world is known `cam_R_w2c`, `cam_t_w2c`: world to camera, OpenCV axes [mm] (BOP toolkit,
docs/bop_datasets_format.md). Where it is not, the poses come from scene_gt.json: an object that every image shows
(`obj_id`, `cam_R_m2c`, `cam_t_m2c`: model to camera [mm]) and that stands still is a world as well.
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
from cousins.capture.decoders.archives import Source
from cousins.capture.formats.frame_selection import each_good
from cousins.capture.formats.posed_frames import STRUCTURED_LIGHT, Pixels, Shot, camera_of_matrix, write_posed
from cousins.errors import CaptureError
from cousins.geometry import Array, invert, rigid

_CAMERA, _TRUTH = "scene_camera.json", "scene_gt.json"
_DEPTH = re.compile(r"depth/(\d{1,9})\.png")
_COLORS = ("rgb/{}.png", "rgb/{}.jpg")
_RATE_HZ = 30.0
"""Frames a second; the format tells no times, and numbers count the frames of a recording."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> BopReader:
    """Return the reader."""
    return BopReader(config or Config())


class BopReader:
    """Read one scene of a BOP data set."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by scene_camera.json."""
        return _CAMERA in source.names

    def read(self, source: Source, destination: Path) -> Capture:
        """Write every image that has depth, a camera and a pose."""
        cameras = _by_number(source, _CAMERA)
        numbers = {found[1]: int(found[1]) for name in source.names if (found := _DEPTH.fullmatch(name))}
        stems = sorted((stem for stem, number in numbers.items() if number in cameras), key=numbers.__getitem__)
        if not stems:
            raise CaptureError(
                f"no depth image that {_CAMERA} names in {source.label}",
                expected="depth/000000.png and so on",
                hint="Name the folder of one scene, such as test/000048, with its depth images.",
            )
        warnings: list[str] = []
        records = {stem: _record(cameras[numbers[stem]], stem) for stem in stems}
        poses = _told(records) or _from_object(source, stems, warnings)
        shots = each_good(stems, lambda stem: _shot(source, stem, poses[stem]()), warnings)
        matrices = {f"depth/{stem}.png": records[stem] for stem in stems}
        scales = {_scale(record, stem) for stem, record in records.items()}
        if len(scales) != 1:
            raise CaptureError(
                f"depth_scale of {len(scales)} values in {_CAMERA}", expected="one", hint="Give one scene at a time."
            )
        pixels = Pixels(
            metres=lambda counts: counts * (min(scales) / 1000.0),
            camera=lambda shot, size: camera_of_matrix(_matrix(matrices[shot.depth], shot.depth), size, where=_CAMERA),
        )
        return write_posed(
            source,
            destination,
            shots,
            pixels,
            app="BOP scene",
            scale=STRUCTURED_LIGHT,
            way_up="unknown",
            warnings=warnings,
        )


def _told(records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return what reads each image's pose, or None where the world is not known in all of them."""
    if any("cam_R_w2c" not in record for record in records.values()):
        return None
    return {
        stem: lambda record=record, stem=stem: invert(_pose(record, "w2c", where=f"{_CAMERA}, image {stem}"))
        for stem, record in records.items()
    }


def _from_object(source: Source, stems: Sequence[str], warnings: list[str]) -> dict[str, Any]:
    """Return what reads each image's pose in the frame of an object that all images show once."""
    if len(stems) == 1:
        return {stems[0]: lambda: np.eye(4)}
    truth = _by_number(source, _TRUTH) if _TRUTH in source.names else {}
    shown = {stem: _once(truth.get(int(stem), []), stem) for stem in stems}
    shared = set.intersection(*(set(objects) for objects in shown.values()))
    if not shared:
        raise CaptureError(
            f"{len(stems)} images without a world in {source.label}",
            expected=f"cam_R_w2c in {_CAMERA}, or one object in {_TRUTH} that every image shows",
            hint="Give a folder with a single image, or of a data set that tells its camera's path.",
        )
    chosen = min(shared)
    warnings.append(f"The poses are those of object {chosen} in {_TRUTH}: if it was moved, they are wrong.")
    return {
        stem: lambda record=shown[stem][chosen], stem=stem: invert(
            _pose(record, "m2c", where=f"{_TRUTH}, image {stem}")
        )
        for stem in stems
    }


def _once(entries: Any, stem: str) -> dict[int, Mapping[str, Any]]:
    """Return the objects of an image by number, those that it shows once."""
    where = f"{_TRUTH}, image {stem}"
    records = [parsing.mapping(entry, where=where) for entry in parsing.sequence(entries, where=where)]
    numbers = [parsing.integer(record.get("obj_id"), where=where, low=0, high=10**9) for record in records]
    return {n: record for n, record in zip(numbers, records, strict=True) if numbers.count(n) == 1}


def _shot(source: Source, stem: str, world_from_camera: Array) -> Shot:
    color = next((name for form in _COLORS if (name := form.format(stem)) in source.names), None)
    return Shot(
        time_s=int(stem) / _RATE_HZ, world_from_camera=world_from_camera, depth=f"depth/{stem}.png", color=color
    )


def _by_number(source: Source, name: str) -> dict[int, Any]:
    """Return the entries of a file by image number; keys that are no number are passed over."""
    data = source.read(name, most=parsing.MAX_JSON_BYTES)
    record = parsing.mapping(parsing.parse_json(data, where=name), where=name)
    return {int(key): value for key, value in record.items() if re.fullmatch(r"[0-9]{1,9}", key)}


def _record(value: Any, stem: str) -> Mapping[str, Any]:
    return parsing.mapping(value, where=f"{_CAMERA}, image {stem}")


def _scale(record: Mapping[str, Any], stem: str) -> float:
    where = f"{_CAMERA}, image {stem} depth_scale"
    return parsing.number(record.get("depth_scale", 1.0), where=where, low=1e-4, high=1000.0)


def _matrix(record: Mapping[str, Any], where: str) -> Array:
    return parsing.numbers(record.get("cam_K"), 9, where=f"cam_K of {where}").reshape(3, 3)


def _pose(record: Mapping[str, Any], kind: str, *, where: str) -> Array:
    """Return a checked pose [4, 4] [m] of `cam_R_*` and `cam_t_*`."""
    rotation = parsing.numbers(record.get(f"cam_R_{kind}"), 9, where=where).reshape(3, 3)
    return parsing.pose(
        rigid(rotation, parsing.numbers(record.get(f"cam_t_{kind}"), 3, where=where) / 1000.0), where=where
    )
