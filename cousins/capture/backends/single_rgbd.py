"""One RGB-D frame: NAME_depth.png (u16) and NAME_color.png beside the camera, seen from one place only.

The camera is camera.json (`fx fy cx cy width height`, `depth_scale_to_metres`, 0.001 if not told),
camera-intrinsics.txt (3×3), or NAME-meta.mat of YCB-Video (`intrinsic_matrix`, `factor_depth` counts a metre).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cousins.capture import parsing
from cousins.capture.archives import Source
from cousins.capture.captures import Capture
from cousins.capture.matlab import small_arrays
from cousins.capture.picked import IMAGE
from cousins.capture.posed import STRUCTURED_LIGHT, Pixels, Shot, camera_of_matrix, folder_camera, write_posed
from cousins.errors import CaptureError
from cousins.geometry import Array, Intrinsics

SENTENCE = "Single view: only what the camera saw from one place is measured; all other sides are completed."
"""Warning that marks the capture."""
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
        camera, metres_per_count = _camera(source, frame)
        shot = Shot(time_s=0.0, world_from_camera=np.eye(4), depth=depth[0], color=_color(source, frame))
        pixels = Pixels(metres=lambda counts: counts * metres_per_count, camera=lambda _, size: camera(size))
        return write_posed(
            source,
            destination,
            [shot],
            pixels,
            app="single RGB-D frame",
            scale=STRUCTURED_LIGHT,
            way_up="unknown",
            warnings=[SENTENCE],
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


def _camera(source: Source, frame: str) -> tuple[Callable[[tuple[int, int]], Intrinsics], float]:
    """Return the camera for an image of a size, and the length of one count of depth [m]."""
    told = folder_camera(source)
    if told is not None:
        return told, _metres_per_count(source)
    name = next((name for name in (f"{frame}-meta.mat", f"{frame}_meta.mat") if name in source.names), None)
    if name is None:
        raise CaptureError(
            f"a colour and a depth image without their camera in {source.label}",
            expected="camera.json beside them",
            hint='Write it: {"fx": 525, "fy": 525, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480, '
            '"depth_scale_to_metres": 0.001} with the values of your camera.',
        )
    arrays = small_arrays(source.read(name), where=name)
    k = arrays.get("intrinsic_matrix", np.zeros(0))
    factor = arrays.get("factor_depth", np.zeros(0))
    if k.shape != (3, 3) or factor.size != 1:
        raise CaptureError(
            f"{name} without intrinsic_matrix and factor_depth", expected="both", hint="Write camera.json instead."
        )
    counts = parsing.number(float(factor.ravel()[0]), where=f"{name} factor_depth", low=1.0, high=1e6)
    return lambda size: _checked(k, size, name), 1.0 / counts


def _checked(k: Array, size: tuple[int, int], name: str) -> Intrinsics:
    return camera_of_matrix(k, size, where=name)


def _metres_per_count(source: Source) -> float:
    if "camera.json" not in source.names:
        return 0.001
    record = parsing.mapping(parsing.parse_json(source.read("camera.json"), where="camera.json"), where="camera.json")
    value = record.get("depth_scale_to_metres", 0.001)
    return parsing.number(value, where="depth_scale_to_metres", low=1e-6, high=1.0)
