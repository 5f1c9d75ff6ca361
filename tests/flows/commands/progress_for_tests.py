"""Read the lines that `--progress-fd` writes."""

from __future__ import annotations

import json
from pathlib import Path


def read_progress(path: Path) -> list[tuple[str, str, int | None, int | None]]:
    """Return stage, event, and the counts `done` and `total` (None where absent) of each line."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [(line["stage"], line["event"], line.get("done"), line.get("total")) for line in lines]
