"""`cousins inspect PATH`: what a scene folder, a pack or a capture holds."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from cousins.capture.captures import Capture
from cousins.errors import InputError, SceneError
from cousins.pack.packs import MANIFEST, open_folder
from flows.execution.executor import Desk, Options, say_nothing
from flows.pipeline.run_scan import default_store
from flows.pipeline.scan_job import export_of
from flows.pipeline.stages import INGEST, INSPECT
from flows.reporting.formatting import told_findings, told_pack, told_twin
from flows.reporting.summary import capture_summary


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Return the report of a scene, what a pack tells, or the quality of a capture."""
    path: Path = arguments.path
    if (path / "report.json").is_file():
        return {"kind": "scene", **read_report(path / "report.json")}, 0
    if (path / MANIFEST).is_file():
        return {"kind": "pack", **open_folder(path).info()}, 0
    store = default_store()
    with store.in_use():
        desk = Desk(store=store, options=Options(), tell=say_nothing)
        capture = desk.carry_out(INGEST, export=export_of(path))
        checks = desk.carry_out(INSPECT, capture=capture)
        read: Capture = desk.read(INGEST, capture)
        if arguments.pictures is not None:
            write_pictures(read, arguments.pictures)
        return {"kind": "capture", **capture_summary(read, desk.read(INSPECT, checks))}, 0


def told(result: dict[str, Any]) -> str:
    """Return the result in words."""
    if result["kind"] == "scene":
        return "\n".join(told_twin(result))
    if result["kind"] == "pack":
        return "\n".join(told_pack(result))
    lines = [
        "{name}: {frames} frames, {color_frames} with colour, {app}, {device}".format(**result),
        f"scale by {result['scale']['source']}, ±{100 * result['scale']['error']:.1f} %",
        *(f"  {name:<32} {value:g}" for name, value in result["quality"].items()),
        *told_findings(result["findings"]),
    ]
    return "\n".join(lines)


def write_pictures(capture: Capture, folder: Path) -> None:
    """Write the pictures in which --scale-distance counts pixels, named by their frame, into a new folder."""
    if folder.exists():
        raise InputError(f"something at {str(folder)!r}", expected="a new folder", hint="Name another one.")
    folder.mkdir(parents=True)
    for frame in capture.frames:
        if frame.color_path is not None:
            shutil.copyfile(frame.color_path, folder / f"{frame.index:06d}{frame.color_path.suffix}")


def read_report(path: Path) -> dict[str, Any]:
    """Return a scene's report; raises SceneError where it is none."""
    try:
        report = json.loads(path.read_bytes())
        known = isinstance(report, dict) and {"assets", "gates", "digest", "name"} <= set(report)
    except ValueError:
        known = False
    if not known:
        raise SceneError(
            f"a {path.name} that is no report of a scan",
            expected="the report.json that `cousins scan` writes",
            hint="Scan the capture again.",
        )
    return dict(report)
