"""What `cousins scan`, `demo`, `background` and `tag-sheet` take."""

from __future__ import annotations

import argparse
from pathlib import Path


def scan_arguments(parser: argparse.ArgumentParser) -> None:
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
    _scale_arguments(parser)
    _run_arguments(parser)


def demo_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins demo`."""
    parser.add_argument("-o", "--output", type=Path, default=Path("out/demo"), metavar="SCENE", help="scene folder")
    parser.add_argument(
        "--no-policy", dest="policy", action="store_false", help="end with the twin: no pack, no training (extra `rl`)"
    )
    _run_arguments(parser)


def background_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins background`."""
    parser.add_argument("capture", type=Path, metavar="CAPTURE", help="what the scene was scanned from")
    parser.add_argument("scene", type=Path, metavar="SCENE", help="scene folder of that scan")
    parser.add_argument("--backend", default="nerfstudio", metavar="NAME", help="who learns the splats (nerfstudio)")
    parser.add_argument("--iterations", type=int, default=30_000, help="steps of training (30000)")
    parser.add_argument("--seed", type=int, default=0, help="root of the training's randomness (0)")
    _scale_arguments(parser)


def sheet_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins tag-sheet`."""
    parser.add_argument("-o", "--output", type=Path, default=Path("tags.pdf"), metavar="PDF", help="file to write")
    parser.add_argument("--size", type=float, default=60.0, metavar="MM", help="side of a tag (60)")
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="paper (a4)")


def _scale_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tag-size", type=float, metavar="MM", help="side of the printed tags in the scene: corrects the scale by them"
    )
    parser.add_argument(
        "--scale-distance",
        action="append",
        default=[],
        metavar="A:B=M",
        help="a distance you measured: tag3:tag7=0.50, or two pixels of a picture of `inspect --pictures`, "
        "12:310,220:505,228=0.50; repeat it for more",
    )
    parser.add_argument(
        "--scale-room",
        type=Path,
        metavar="ROOM",
        help="RoomPlan scan (JSON or USDZ) of the room whose walls the pictures show: these measure the scale",
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="root of all randomness (0)")
    parser.add_argument(
        "--segmenter",
        default="geometric",
        metavar="NAME[:WEIGHTS]",
        help="who tells objects apart: geometric, or sam with the weights of a model's name or a path (geometric)",
    )
    parser.add_argument("--names", metavar="NAME[:WEIGHTS]", help="who names objects: yolox or clip (geometry)")
    parser.add_argument("--force", action="store_true", help="replace an older scene at the output folder")
    parser.add_argument(
        "--runner",
        choices=("auto", "plain", "prefect"),
        default="auto",
        help="auto: Prefect where PREFECT_API_URL names a running server, plain calls elsewhere",
    )
