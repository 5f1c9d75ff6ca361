"""Exports that lack one file: what is there of a format, and what is not."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

NEAR_MISSES: Final = (
    (
        "TUM RGB-D",
        (r"rgb\.txt", r"depth\.txt"),
        "groundtruth.txt",
        "the poses: time tx ty tz qx qy qz qw, a line a pose",
    ),
    ("TUM RGB-D", (r"groundtruth\.txt",), "depth.txt", "the list of depth images: time file, a line an image"),
    ("Stray Scanner", (r"odometry\.csv",), "camera_matrix.csv", "the 3×3 camera matrix"),
    ("Stray Scanner", (r"camera_matrix\.csv",), "odometry.csv", "the poses"),
    ("Record3D", (r"rgbd/\d+\.depth",), "metadata", "the poses and cameras, a file without an ending"),
    ("Record3D EXR", (r"depth/\d+\.exr",), "metadata.json", "the poses and cameras"),
    ("Polycam", (r"keyframes/depth/.*",), "keyframes/cameras/", "the folder of poses, a JSON a frame"),
    ("BOP", (r"depth/\d{6}\.(png|tif)", r"rgb/.*"), "scene_camera.json", "the cameras and poses"),
    ("7-Scenes", (r"frame-\d+\.depth\.png",), "frame-000000.pose.txt", "the poses, 4×4 a frame"),
    ("nerfstudio", (r"images/.*\.(jpe?g|png)", r"depths?/.*\.(png|npy)"), "transforms.json", "the cameras and poses"),
    ("ARKitScenes", (r"lowres_depth/.*",), "lowres_wide.traj", "the poses"),
)
"""Format, patterns of the files that are there, the file that is not, and what it holds; the first that fits counts."""


def describe_near_miss(names: Collection[str]) -> tuple[str, str] | None:
    """Return what is there and what is missing of the format that file names come closest to; None for none."""
    for format_name, patterns, missing, content in NEAR_MISSES:
        if any(name == missing or name.startswith(missing) for name in names):
            continue
        examples = [next((name for name in sorted(names) if re.fullmatch(pattern, name)), None) for pattern in patterns]
        if all(example is not None for example in examples):
            present = " and ".join(str(example)[:80] for example in examples)
            return f"{present}, but no {missing}", f"{missing} of {format_name}: {content}"
    return None
