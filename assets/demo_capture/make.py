"""Make this asset: a desk that exists only as meshes, scanned by the simulated phone.

The capture follows from the seed alone, so a second run writes the same bytes.

    python assets/demo_capture/make.py [FOLDER]     # FOLDER/capture and FOLDER/preview.png; this folder by default
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from cousins.capture.captures import Capture
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture

SEED = 12
OBJECTS = ("cereal_box", "can", "bottle", "book")
"""Objects of the demo's desk that are left on it."""
CONFIG = PhoneConfig(frames=52, color_every=3, radius_m=(0.4, 0.75), turns=1.05)
"""A short walk, near the objects."""
PREVIEW_FRAMES = (0, 15, 30, 45)
PREVIEW_PX = (320, 240)
"""Width and height of one picture of the preview [px]."""
PREVIEW_RANGE_M = (0.2, 1.4)
"""Depths that are shown brightest and darkest [m]."""


def main() -> None:
    """Write the capture folder and its preview."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    world_rng, phone_rng = np.random.default_rng(SEED).spawn(2)
    world = demo_world(world_rng)
    world = replace(world, bodies=tuple(body for body in world.bodies if body.name in OBJECTS))
    capture, _ = record_capture(world, folder / "capture", config=CONFIG, rng=phone_rng)
    preview(capture).save(folder / "preview.png", optimize=True)


def preview(capture: Capture) -> Image.Image:
    """Return some photos in a row, and the depth of the same frames below them."""
    width, height = PREVIEW_PX
    sheet = Image.new("RGB", (width * len(PREVIEW_FRAMES), 2 * height))
    near_m, far_m = PREVIEW_RANGE_M
    for column, index in enumerate(PREVIEW_FRAMES):
        frame = capture.frames[index]
        photo = frame.color(width=width)
        assert photo is not None
        sheet.paste(Image.fromarray(photo), (column * width, 0))
        closeness = np.clip((far_m - frame.depth_m) / (far_m - near_m), 0.0, 1.0)
        gray = np.where(frame.depth_m > 0.0, 32.0 + 223.0 * closeness, 0.0).astype(np.uint8)
        sheet.paste(Image.fromarray(gray).resize(PREVIEW_PX, Image.Resampling.NEAREST), (column * width, height))
    return sheet


if __name__ == "__main__":
    main()
