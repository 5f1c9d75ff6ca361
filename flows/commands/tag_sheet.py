"""`cousins tag-sheet -o tags.pdf`: tags to print and lay beside what is scanned."""

from __future__ import annotations

import argparse
from typing import Any

from cousins.errors import InputError
from flows.extras import needing


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Write the sheet."""
    with needing("vision"):
        from cousins.scale.sheet import write_sheet
    if not arguments.output.parent.is_dir():
        raise InputError(
            f"no folder {str(arguments.output.parent)!r}", expected="a folder that exists", hint="Make it first."
        )
    count = write_sheet(arguments.output, side_m=arguments.size / 1000.0, paper=arguments.paper)
    return {"sheet": str(arguments.output), "tags": count, "size_mm": arguments.size}, 0


def told(result: dict[str, Any]) -> str:
    """Return what to do with the sheet."""
    return "\n".join(
        [
            f"{result['sheet']}: {result['tags']} tags of {result['size_mm']:g} mm",
            "Print it at 100 %, measure a tag's black square, lay the sheet flat beside the things, and scan with",
            "  cousins scan CAPTURE -o SCENE --tag-size MEASURED_MM",
        ]
    )
