"""One RGB-D frame: NAME_depth.png (u16) and NAME_color.png beside the camera, seen from one place only.

The camera is camera.json (`fx fy cx cy width height`, `depth_scale_to_metres`, 0.001 if not told),
camera-intrinsics.txt (3×3), or NAME-meta.mat of YCB-Video (`intrinsic_matrix`, `factor_depth` counts a metre).
Without any, depth of 256×192 px beside colour of the same shape is what ARKit gives: the camera of such phones is
then assumed, and the wider error of lengths is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import Source
from cousins.capture.decoders.matlab import small_arrays
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT,
    Pixels,
    Shot,
    camera_of_matrix,
    folder_camera,
    write_posed,
)
from cousins.capture.formats.single_frame import IMAGE
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

SENTENCE = "Single view: only what the camera saw from one place is measured; all other sides are completed."
"""Warning that marks the capture."""
ARKIT_DEPTH = (256, 192)
"""Width and height of ARKit's depth image [px]; no other device that we know of gives this size."""
ARKIT_FOCAL = 0.754
"""Focal length of ARKit's images as a share of their width: 1447 of 1920 px in the chair of 3D Scanner App. Others:
1404 in a recording of Record3D; 24 to 29 mm of 36 by the makers' words, which is 0.69 to 0.83."""
ASSUMED = Scale(source="lidar, its camera assumed", error=0.08)
"""Depth is measured, but widths go with the focal length."""
_SIDES = ("color", "colour", "rgb", "image")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to choose."""


def build(config: Config | None = None) -> SingleRgbdReader:
    """Return the reader."""
    return SingleRgbdReader(config or Config())


class SingleRgbdReader:
    """Read a single frame."""

    def __init__(self, config: Config) -> None:
        """Keep the configuration."""
        self.config = config

    def recognises(self, source: Source) -> bool:
        """Tell by an image named depth beside nothing that tells poses."""
        return bool(_depth_images(source))

    def read(self, source: Source, destination: Path) -> Capture:
        """Write the frame, levelled."""
        depth = _depth_images(source)
        if len(depth) != 1:
            first = min(depth, default="depth.png")
            raise CaptureError(
                f"{len(depth)} single frames without poses in {source.label}",
                expected="one",
                hint=f"Name the frame, such as: cousins scan {source.label}/{first} -o SCENE.",
            )
        frame = _frame(depth[0])
        warnings = [SENTENCE]
        told = _camera(source, frame)
        if told is None:
            _check_arkit(source, depth[0], _color(source, frame))
            warnings.append(
                "No file tells the camera: that of a phone with LiDAR was assumed, "
                f"so widths may be {ASSUMED.error:.0%} off."
            )
        camera, metres_per_count = told or (_arkit, 0.001)
        shot = Shot(time_s=0.0, world_from_camera=np.eye(4), depth=depth[0], color=_color(source, frame))
        pixels = Pixels(metres=lambda counts: counts * metres_per_count, camera=lambda _, size: camera(size))
        return write_posed(
            source,
            destination,
            [shot],
            pixels,
            app="single RGB-D frame",
            scale=STRUCTURED_LIGHT if told else ASSUMED,
            way_up="unknown",
            warnings=warnings,
        )


def _depth_images(source: Source) -> list[str]:
    found = ((name, IMAGE.fullmatch(name)) for name in source.names if "/" not in name)
    return sorted(
        name for name, match in found if match and match["kind"].lower() == "depth" and match["ending"] == "png"
    )


def _frame(name: str) -> str:
    found = IMAGE.fullmatch(name)
    return found["frame"] if found else ""


def _color(source: Source, frame: str) -> str | None:
    """Return the colour image of the frame, or the only colour image there is."""
    pictures = {
        name: match["frame"]
        for name in sorted(source.names)
        if "/" not in name and (match := IMAGE.fullmatch(name)) and match["kind"].lower() in _SIDES
    }
    own = [name for name, of in pictures.items() if of == frame]
    return own[0] if own else next(iter(pictures)) if len(pictures) == 1 else None


def _camera(source: Source, frame: str) -> tuple[Callable[[tuple[int, int]], Intrinsics], float] | None:
    """Return the camera for an image of a size, and the length of one count of depth [m]; None where no file tells."""
    told = folder_camera(source)
    if told is not None:
        return told, _metres_per_count(source)
    name = next((name for name in (f"{frame}-meta.mat", f"{frame}_meta.mat") if name in source.names), None)
    if name is None:
        return None
    arrays = small_arrays(source.read(name), where=name)
    k = arrays.get("intrinsic_matrix", np.zeros(0))
    factor = arrays.get("factor_depth", np.zeros(0))
    if k.shape != (3, 3) or factor.size != 1:
        raise CaptureError(
            f"{name} without intrinsic_matrix and factor_depth", expected="both", hint="Write camera.json instead."
        )
    counts = parsing.number(float(factor.ravel()[0]), where=f"{name} factor_depth", low=1.0, high=1e6)
    return lambda size: _checked(k, size, name), 1.0 / counts


def _check_arkit(source: Source, depth: str, color: str | None) -> None:
    """Refuse a frame without its camera unless its images are of ARKit's sizes."""
    width, height = images.color_size(source.read(depth), where=depth)
    wide = (0, 0) if color is None else images.color_size(source.read(color), where=color)
    if (width, height) != ARKIT_DEPTH or ARKIT_DEPTH[0] * wide[1] != ARKIT_DEPTH[1] * wide[0] or wide[0] == 0:
        raise CaptureError(
            f"a colour and a depth image of {width}×{height} px without their camera in {source.label}",
            expected="camera.json beside them",
            hint=f'Write it, with the values of your camera: {{"fx": {0.82 * width:.0f}, "fy": {0.82 * width:.0f}, '
            f'"cx": {0.5 * width - 0.5}, "cy": {0.5 * height - 0.5}, "width": {width}, "height": {height}, '
            '"depth_scale_to_metres": 0.001}.',
        )


def _arkit(size: tuple[int, int]) -> Intrinsics:
    width, height = size
    focal = ARKIT_FOCAL * width
    return Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=0.5 * width - 0.5, cy=0.5 * height - 0.5)


def _checked(k: Array, size: tuple[int, int], name: str) -> Intrinsics:
    return camera_of_matrix(k, size, where=name)


def _metres_per_count(source: Source) -> float:
    if "camera.json" not in source.names:
        return 0.001
    record = parsing.mapping(parsing.parse_json(source.read("camera.json"), where="camera.json"), where="camera.json")
    value = record.get("depth_scale_to_metres", 0.001)
    return parsing.number(value, where="depth_scale_to_metres", low=1e-6, high=1.0)
