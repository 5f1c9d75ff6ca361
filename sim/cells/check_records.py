"""Records of checks: how fast a cell may move follows from the last one, if it holds for the cell as it is now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from sim.cells.cell import CellSpec
from sim.cells.latch import cells_folder

FORMAT: Final = "cousins cell check 1"
SLOW_SHARE: Final = 0.25
"""Share of the largest speeds until a check has passed."""


def check_path(cell: str, folder: Path | None = None) -> Path:
    """Return where the check of a cell is kept."""
    return (folder or cells_folder()) / f"{cell}.check.json"


def speed_share(spec: CellSpec, folder: Path | None = None) -> tuple[float, str]:
    """Return the share of its speeds that a cell may use, and why it is not all."""
    path = check_path(spec.name, folder)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SLOW_SHARE, "no check of this cell; type `cousins cell check FILE --move`"
    except ValueError:
        return SLOW_SHARE, f"{path.name} cannot be read"
    if record.get("format") != FORMAT or record.get("spec_digest") != spec.digest:
        return SLOW_SHARE, "the cell has changed since its check"
    if not record.get("ok") or not record.get("moved"):
        return SLOW_SHARE, "its check did not pass with moving joints"
    return 1.0, ""
