"""One RGB-D frame: NAME_depth.png (u16) and NAME_color.png with a camera file, a single view of the scene.

Depth is a PNG, a TIFF or a NumPy array. The camera is a file that `camera_files` knows (camera.json with
`depth_scale_to_metres`, default 0.001), or NAME-meta.mat of YCB-Video (`intrinsic_matrix`, `factor_depth` per metre).
Without any, depth of 256×192 px with colour of the same aspect ratio is what ARKit gives: the camera of such phones is
then assumed, with a larger scale error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture.captures import Capture, Scale
from cousins.capture.decoders import images, parsing
from cousins.capture.decoders.archives import ExportFiles
from cousins.capture.decoders.depth_images import decode_depth
from cousins.capture.decoders.matlab import read_small_arrays
from cousins.capture.formats.camera_files import camera_from_matrix, read_folder_camera
from cousins.capture.formats.posed_frames import (
    STRUCTURED_LIGHT_SCALE,
    DepthDecoder,
    PosedFrame,
    write_posed_frames,
)
from cousins.capture.formats.single_frame import DEPTH_ENDINGS, FRAME_IMAGE_NAME
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

SINGLE_VIEW_WARNING = "Single view: only what the camera saw from one place is measured; all other sides are completed."
"""Warning added to every single-view capture."""
ARKIT_DEPTH_SIZE_PX = (256, 192)
"""Width and height of ARKit's depth image [px]; no other known device gives this size."""
ARKIT_FOCAL_SHARE = 0.754
"""Focal length of ARKit's images as a share of their width: 1447 of 1920 px in the chair of 3D Scanner App. Others:
1404 in a recording of Record3D; 24 to 29 mm of 36 by the makers' words, which is 0.69 to 0.83."""
ASSUMED_CAMERA_SCALE = Scale(source="lidar, its camera assumed", error=0.08)
"""Scale of frames with an assumed camera: depth is measured, but widths depend on the focal length."""
_COLOR_KINDS = ("color", "colour", "rgb", "image")


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

    def recognises(self, source: ExportFiles) -> bool:
        """Return whether there is an image named depth at the top level."""
        return bool(_depth_images(source))

    def read(self, source: ExportFiles, destination: Path) -> Capture:
        """Write the frame as a capture with +z up."""
        depth = _depth_images(source)
        if len(depth) != 1:
            first = min(depth, default="depth.png")
            raise CaptureError(
                f"{len(depth)} single frames without poses in {source.label}",
                expected="one",
                hint=f"Name the frame, such as: cousins scan {source.label}/{first} -o SCENE.",
            )
        frame_name = _frame_name(depth[0])
        warnings = [SINGLE_VIEW_WARNING]
        color = _color(source, frame_name)
        known_camera = _camera(source, frame_name, color)
        if known_camera is None:
            _check_arkit(source, depth[0], color)
            warnings.append(
                "No file tells the camera: that of a phone with LiDAR was assumed, "
                f"so widths may be {ASSUMED_CAMERA_SCALE.error:.0%} off."
            )
        camera, metres_per_count = known_camera or (_arkit_camera, 0.001)
        frame = PosedFrame(time_s=0.0, world_from_camera=np.eye(4), depth=depth[0], color=color)
        decoder = DepthDecoder(metres=lambda counts: counts * metres_per_count, camera=lambda _, size: camera(size))
        return write_posed_frames(
            source,
            destination,
            [frame],
            decoder,
            app="single RGB-D frame",
            scale=STRUCTURED_LIGHT_SCALE if known_camera else ASSUMED_CAMERA_SCALE,
            up_source="unknown",
            timed=False,
            warnings=warnings,
        )


def _depth_images(source: ExportFiles) -> list[str]:
    matches = ((name, FRAME_IMAGE_NAME.fullmatch(name)) for name in source.names if "/" not in name)
    return sorted(
        name
        for name, match in matches
        if match and match["kind"].lower() == "depth" and match["ending"].lower() in DEPTH_ENDINGS
    )


def _frame_name(name: str) -> str:
    match = FRAME_IMAGE_NAME.fullmatch(name)
    return match["frame"] if match else ""


def _color(source: ExportFiles, frame_name: str) -> str | None:
    """Return the name of the frame's colour image, or of the only colour image there is."""
    pictures = {
        name: match["frame"]
        for name in sorted(source.names)
        if "/" not in name and (match := FRAME_IMAGE_NAME.fullmatch(name)) and match["kind"].lower() in _COLOR_KINDS
    }
    own_pictures = [name for name, picture_frame in pictures.items() if picture_frame == frame_name]
    return own_pictures[0] if own_pictures else next(iter(pictures)) if len(pictures) == 1 else None


def _camera(
    source: ExportFiles, frame_name: str, color: str | None
) -> tuple[Callable[[tuple[int, int]], Intrinsics], float] | None:
    """Return a function from image size to the camera, and the length of one depth count [m]; None without a file."""
    size = None if color is None else images.color_size(source.read(color), context=color)
    camera_of_size = read_folder_camera(source, color_size=size)
    if camera_of_size is not None:
        return camera_of_size, _metres_per_count(source)
    name = next((name for name in (f"{frame_name}-meta.mat", f"{frame_name}_meta.mat") if name in source.names), None)
    if name is None:
        return None
    arrays = read_small_arrays(source.read(name), context=name)
    k = arrays.get("intrinsic_matrix", np.zeros(0))
    factor = arrays.get("factor_depth", np.zeros(0))
    if k.shape != (3, 3) or factor.size != 1:
        raise CaptureError(
            f"{name} without intrinsic_matrix and factor_depth", expected="both", hint="Write camera.json instead."
        )
    counts = parsing.number(float(factor.ravel()[0]), context=f"{name} factor_depth", low=1.0, high=1e6)
    return lambda size: _checked_camera(k, size, name), 1.0 / counts


def _check_arkit(source: ExportFiles, depth: str, color: str | None) -> None:
    """Raise CaptureError for a frame without a camera file unless its images have ARKit's sizes."""
    height, width = decode_depth(source.read(depth), context=depth).shape
    color_size = (0, 0) if color is None else images.color_size(source.read(color), context=color)
    if (
        (width, height) != ARKIT_DEPTH_SIZE_PX
        or ARKIT_DEPTH_SIZE_PX[0] * color_size[1] != ARKIT_DEPTH_SIZE_PX[1] * color_size[0]
        or color_size[0] == 0
    ):
        raise CaptureError(
            f"a colour and a depth image of {width}×{height} px without their camera in {source.label}",
            expected="camera.json beside them",
            hint=f'Write it, with the values of your camera: {{"fx": {0.82 * width:.0f}, "fy": {0.82 * width:.0f}, '
            f'"cx": {0.5 * width - 0.5}, "cy": {0.5 * height - 0.5}, "width": {width}, "height": {height}, '
            '"depth_scale_to_metres": 0.001}.',
        )


def _arkit_camera(size: tuple[int, int]) -> Intrinsics:
    width, height = size
    focal = ARKIT_FOCAL_SHARE * width
    return Intrinsics(width=width, height=height, fx=focal, fy=focal, cx=0.5 * width - 0.5, cy=0.5 * height - 0.5)


def _checked_camera(k: Array, size: tuple[int, int], name: str) -> Intrinsics:
    return camera_from_matrix(k, size, context=name)


def _metres_per_count(source: ExportFiles) -> float:
    if "camera.json" not in source.names:
        return 0.001
    record = parsing.mapping(
        parsing.parse_json(source.read("camera.json"), context="camera.json"), context="camera.json"
    )
    value = record.get("depth_scale_to_metres", 0.001)
    return parsing.number(value, context="depth_scale_to_metres", low=1e-6, high=1.0)
