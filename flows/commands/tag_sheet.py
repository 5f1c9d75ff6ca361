"""`cousins tag-sheet -o tags.pdf`: tags to print and lay beside what is scanned."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.extras import requires_extra
from flows.commands.arguments import number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `cousins tag-sheet`."""
    parser.add_argument("-o", "--output", type=Path, default=Path("tags.pdf"), metavar="PDF", help="file to write")
    parser.add_argument("--size", type=number(1.0, 10_000.0), default=60.0, metavar="MM", help="side of a tag (60)")
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="paper (a4)")


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Write the sheet."""
    with requires_extra("vision"):
        from cousins.scale.sheet import write_sheet
    if not arguments.output.parent.is_dir():
        raise InputError(
            f"no folder {str(arguments.output.parent)!r}", expected="a folder that exists", hint="Make it first."
        )
    count = write_sheet(arguments.output, side_m=arguments.size / 1000.0, paper=arguments.paper)
    return {"sheet": str(arguments.output), "tags": count, "size_mm": arguments.size}, 0


def format_result(result: dict[str, Any]) -> str:
    """Return what to do with the sheet."""
    return "\n".join(
        [
            f"{result['sheet']}: {result['tags']} tags of {result['size_mm']:g} mm",
            "Print it at 100 %, measure a tag's black square, lay the sheet flat beside the things, and scan with",
            "  cousins scan CAPTURE -o SCENE --tag-size MEASURED_MM",
        ]
    )
