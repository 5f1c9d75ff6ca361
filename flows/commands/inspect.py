"""`cousins inspect PATH`: what a scene folder, a pack or a capture holds."""

from __future__ import annotations

import argparse
import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from cousins.errors import InputError, SceneError
from flows.execution.publish import MAX_REPORT_BYTES
from flows.reporting.formatting import format_findings, format_pack, format_scale, format_twin

if TYPE_CHECKING:
    from cousins.capture.captures import Capture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins inspect`."""
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="write a capture's numbered pictures, for --scale-distance"
    )


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Return the report of a scene, the contents of a pack, or the quality of a capture."""
    from cousins.importers.recognition import recognise_input
    from cousins.pack.packs import MANIFEST, open_folder
    from flows.execution.executor import StageExecutor
    from flows.execution.stage import deferred
    from flows.execution.stage_options import StageOptions
    from flows.pipeline.run_scan import default_store
    from flows.pipeline.stages import CHECK_CAPTURE, INGEST
    from flows.reporting.summary import capture_summary

    path: Path = arguments.path
    if (path / "report.json").is_file():
        return {"kind": "scene", **read_report(path / "report.json")}, 0
    if (path / MANIFEST).is_file():
        return {"kind": "pack", **open_folder(path).info()}, 0
    source = recognise_input(path)
    if source.kind != "capture":
        kind = "a finished mesh" if source.kind == "mesh" else "a layout scan"
        raise InputError(
            f"{path.name!r}, {kind} without frames",
            expected="a capture, a scene folder or a pack",
            hint="Type `cousins scan FILE -o SCENE` and inspect the scene.",
        )
    store = default_store()
    with store.block_sweeps():
        executor = StageExecutor(store=store, options=StageOptions())
        ingested = executor.run(INGEST(export=source))
        checks = executor.run(CHECK_CAPTURE(capture=deferred(ingested)))
        capture = executor.load(ingested)
        if arguments.pictures is not None:
            write_pictures(capture, arguments.pictures)
        return {"kind": "capture", **capture_summary(capture, executor.load(checks))}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return the result in words."""
    if result["kind"] == "scene":
        return "\n".join(format_twin(result))
    if result["kind"] == "pack":
        return "\n".join(format_pack(result))
    lines = [
        "{name}: {frames} frames, {color_frames} with colour, {app}, {device}".format(**result),
        f"scale by {format_scale(result['scale'])}",
        *(f"  {name:<32} {value:g}" for name, value in result["quality"].items()),
        *format_findings(result["findings"]),
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
    report = None
    if path.stat().st_size <= MAX_REPORT_BYTES:
        with suppress(ValueError, RecursionError):
            report = json.loads(path.read_bytes())
    if not _is_report(report):
        raise SceneError(
            f"a {path.name} that is no report of a scan",
            expected="the report.json that `cousins scan` writes",
            hint="Scan the capture again.",
        )
    return dict(report)


def _is_report(report: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether a report has all that is shown of one, each of its kind."""
    if not isinstance(report, dict) or not {"assets", "gates", "digest", "name"} <= set(report):
        return False
    try:
        format_twin(report)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return False
    return True
