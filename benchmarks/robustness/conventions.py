"""Captures with each convention broken on purpose: caught, called by their names; good ones left alone.

Broken are simulated phone captures (pose drift, range bias, noise) and the real ones of DATA, one break at a time on
every frame, as a reader would hand it on if it mistook the format. Caught is what the probe refuses; by name, what it
refuses with the break's own words.

    python benchmarks/robustness/conventions.py [--quick] [--data DIR] [--seed SEED] [--json]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.capture.captures import Capture, Frame
from cousins.capture.ingest import ingest
from cousins.capture.quality.convention_check import check_camera_convention
from cousins.capture.quality.conventions import ray_lengths
from cousins.errors import ConventionError
from cousins.geometry import Array, invert, quat_wxyz_from_rotation, rigid, rotation_about, rotation_from_quat_wxyz
from program import DATA, program_parser, run_program
from rows import Row, at_least, count_of, entry, is_zero
from sim.synthetic.demo_scene import demo_world
from sim.synthetic.phone import PhoneConfig, record_capture

REAL = {
    "captures/chair_3dscannerapp": "phone",
    "restricted/doorhandle_record3d_mini": "phone",
    "restricted/sevenscenes_redkitchen": "depth camera",
    "sequences/apc_shelf/scene-0000": "depth camera",
}
"""Real captures with more than one frame, and what they were recorded with."""
SIMULATED = 6
SEED = 5

Break = Callable[[Frame], Frame]
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
ROLL = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), np.pi / 2))
ROWS = (
    Row(quantity="broken conventions that are caught", bar="1", value=entry("caught_share"), met=at_least(1)),
    Row(quantity="and called by their names", bar="1", value=entry("named_share"), met=at_least(1)),
    Row(
        quantity="good captures that are refused", bar="0", value=count_of("false_alarms", "good_captures"), met=is_zero
    ),
)


def posed(change: Callable[[Array], Array]) -> Break:
    """Return a break of the pose alone."""
    return lambda frame: replace(frame, world_from_camera=change(frame.world_from_camera))


def metres(factor: float) -> Break:
    """Return a break of the unit of positions."""
    return posed(lambda pose: rigid(pose[:3, :3], factor * pose[:3, 3]))


def deep(factor: Callable[[Frame], Any]) -> Break:
    """Return a break of the depth, by a factor for the frame or for each pixel."""
    return lambda frame: replace(frame, depth_m=(frame.depth_m * factor(frame)).astype(np.float32))


def _conjugated(pose: Array) -> Array:
    w, *axis = quat_wxyz_from_rotation(pose[:3, :3])
    return rigid(rotation_from_quat_wxyz(np.array([w, *(-value for value in axis)])), pose[:3, 3])


BREAKS: dict[str, tuple[Break, str]] = {
    "rotation by columns": (posed(lambda pose: rigid(pose[:3, :3].T, pose[:3, 3])), "rows for columns"),
    "rotation by columns, OpenGL axes": (
        posed(lambda pose: rigid((pose @ FLIP)[:3, :3].T, pose[:3, 3]) @ FLIP),
        "rows",
    ),
    "quaternion of the inverse": (posed(_conjugated), "rows for columns"),
    "world to camera": (posed(invert), "world-to-camera"),
    "world to camera, OpenGL axes": (posed(lambda pose: invert(pose @ FLIP) @ FLIP), "world-to-camera"),
    "OpenGL axes": (posed(lambda pose: pose @ FLIP), "OpenGL for OpenCV"),
    "image turned by 90°": (posed(lambda pose: pose @ ROLL), "image turned by 270°"),
    "image turned by 180°": (posed(lambda pose: pose @ ROLL @ ROLL), "image turned by 180°"),
    "image turned by 270°": (posed(lambda pose: pose @ ROLL.T), "image turned by 90°"),
    "positions in millimetres": (metres(1000.0), "millimetres"),
    "positions in centimetres": (metres(100.0), "centimetres"),
    "positions in feet": (metres(1.0 / 0.3048), "feet"),
    "depth in tenths of a millimetre": (deep(lambda _: 10.0), r"or depth (8\.[5-9]|9|1[01])\.?\d* times"),
    "depth a fifth of a metre's": (deep(lambda _: 0.2), r"or depth 0\.(1[7-9]|2[0-3]?)\d* times"),
    "depth along the ray": (deep(lambda frame: ray_lengths(frame.depth_camera)), "depth along the ray"),
}
"""What is done to every frame, and the name that it must be given, as a pattern."""


def main() -> None:
    parser = program_parser(__doc__, quick="two simulated captures and the chair", data=DATA, seed=SEED)
    run_program(parser, measure, hidden=("captures",))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, kind, capture in captures(arguments, Path(scratch)):
            rows.append({"name": name, "kind": kind, **judge(capture)})
            print(json.dumps(rows[-1], ensure_ascii=False), file=sys.stderr, flush=True)
    return summary(rows)


def captures(arguments: argparse.Namespace, scratch: Path) -> Iterator[tuple[str, str, Capture]]:
    """Yield name, kind and capture."""
    phone = PhoneConfig(frames=40, color_width=160, color_every=20, color_supersample=1)
    for number in range(2 if arguments.quick else SIMULATED):
        world, walk = np.random.SeedSequence(arguments.seed, spawn_key=(number,)).spawn(2)
        folder = scratch / f"simulated_{number}"
        capture, _ = record_capture(
            demo_world(np.random.default_rng(world)), folder, config=phone, rng=np.random.default_rng(walk)
        )
        yield f"simulated {number}", "simulated phone", capture
    for name in list(REAL)[: 1 if arguments.quick else None]:
        if (arguments.data / name).exists():
            yield name, REAL[name], ingest(arguments.data / name, scratch / name.replace("/", "_"))
        else:
            print(f"{name}: skipped, it is not in {arguments.data}", file=sys.stderr)


def judge(capture: Capture) -> dict[str, Any]:
    """Return what the probe says of the good capture and of every broken one."""
    missed, unnamed = {}, {}
    for name, (change, words) in BREAKS.items():
        message = verdict(replace(capture, frames=tuple(change(frame) for frame in capture.frames)))
        if message == "":
            missed[name] = "passed"
        elif not re.search(words, message):
            unnamed[name] = message
    return {"good": verdict(capture), "missed": missed, "unnamed": unnamed}


def verdict(capture: Capture) -> str:
    """Return the refusal, or nothing where the capture passes."""
    try:
        check_camera_convention(capture)
    except ConventionError as error:
        return str(error)
    return ""


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the shares over all captures and over phones, and every capture's row."""
    result: dict[str, Any] = {"breaks": len(BREAKS), "tried": len(rows) * len(BREAKS)}
    for label, selected in (("", rows), ("phone_", [row for row in rows if "phone" in row["kind"]])):
        tried = max(1, len(selected) * len(BREAKS))
        caught = tried - sum(len(row["missed"]) for row in selected)
        result[f"{label}caught_share"] = round(caught / tried, 4)
        result[f"{label}named_share"] = round((caught - sum(len(row["unnamed"]) for row in selected)) / tried, 4)
    result["good_captures"] = len(rows)
    result["false_alarms"] = sum(row["good"] != "" for row in rows)
    return result | {"captures": rows}


if __name__ == "__main__":
    main()
