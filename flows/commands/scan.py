"""`cousins scan CAPTURE -o SCENE`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from cousins.importers.units import UNITS
from flows.commands.arguments import add_progress_argument, add_run_arguments, add_scale_arguments
from flows.reporting.formatting import format_scan as format_result

__all__ = ["add_arguments", "format_result", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins scan`."""
    parser.add_argument(
        "capture", type=Path, metavar="CAPTURE", help="phone export (folder or zip), RoomPlan room, or finished mesh"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SCENE", help="scene folder to write")
    parser.add_argument("--format", metavar="NAME", help="format of the export; recognised where not given")
    parser.add_argument(
        "--blur-faces",
        type=Path,
        metavar="MODEL",
        help="blur faces in the pictures before anything is kept; MODEL is YuNet's .onnx file of OpenCV's model zoo",
    )
    parser.add_argument("--name", help="what the scene is called; files of the export never name it")
    parser.add_argument("--up", choices=("y", "z"), help="up axis of a finished mesh; its format tells where not given")
    parser.add_argument(
        "--unit", choices=UNITS, help="unit of the numbers in a finished mesh; its format tells where not given"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 where the verdict on the twin is `poor`")
    add_scale_arguments(parser)
    add_run_arguments(parser)
    add_progress_argument(parser)


def run(arguments: argparse.Namespace) -> tuple[Mapping[str, object], int]:
    """Scan; the exit code is 0 also where a gate fails or the twin is poor, which the result says; 1 with --strict."""
    from flows.execution.progress import stage_progress
    from flows.pipeline.run_scan import run_scan
    from flows.pipeline.scan_options import ScanOptions
    from flows.pipeline.scan_results import ScanRequest

    request = ScanRequest(
        source=arguments.capture,
        output=arguments.output,
        options=ScanOptions(
            seed=arguments.seed,
            segmenter=arguments.segmenter,
            names=arguments.names,
            format=arguments.format,
            up=arguments.up,
            unit=arguments.unit,
            tag_size_m=None if arguments.tag_size is None else arguments.tag_size / 1000.0,
            scale_distances=tuple(arguments.scale_distance),
            scale_room=arguments.scale_room,
            blur_faces=arguments.blur_faces,
            name=arguments.name,
        ),
        force=arguments.force,
    )
    with stage_progress(arguments.progress_fd) as progress:
        result = run_scan(request, runner=arguments.runner, progress=progress)
    is_poor = result.fidelity is not None and result.fidelity.verdict == "poor"
    return result.summary, 1 if arguments.strict and is_poor else 0
