"""The latch of a cell: a stop outlives its process, and only a person's command lifts it.

A stopped cell has a file with the reason in the folder of cells; while it is there, nothing is sent to the cell.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

from cousins.errors import CellError, InputError


def cells_folder() -> Path:
    """Return the folder of latches and checks: `COUSINS_CELLS`, or the user's state folder."""
    named = os.environ.get("COUSINS_CELLS")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "cousins/cells"


class Latch:
    """Whether a cell is stopped, and why."""

    def __init__(self, cell: str, folder: Path | None = None) -> None:
        """Name the cell; raises `InputError` for a name that is no file name."""
        if not re.fullmatch(r"[\w.-]{1,64}", cell) or cell.startswith("."):
            raise InputError(f"a cell named {cell[:80]!r}", expected="letters, digits, - and _", hint="Rename it.")
        self.cell = cell
        self.path = (folder or cells_folder()) / f"{cell}.stopped.json"

    def set(self, reason: str, *, by: str) -> None:
        """Stop the cell until a person lifts it; the first reason is kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"cell": self.cell, "reason": reason, "by": by, "unix_s": round(time.time(), 3)}) + "\n"
        partial = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        with partial.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(partial, self.path)
        except FileExistsError:
            return
        finally:
            partial.unlink()

    @property
    def reason(self) -> str:
        """Why the cell is stopped; empty where it is not."""
        try:
            record = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ""
        except ValueError:
            return f"a latch that cannot be read, {self.path}"
        return f"{record.get('reason', 'unknown')} (by the {record.get('by', 'unknown')})"

    def require_released(self) -> None:
        """Raise `CellError` where the cell is stopped."""
        if self.reason:
            raise CellError(
                f"{self.cell} was stopped: {self.reason}. Look at the robot, mend the cause, then type "
                f"`cousins cell release FILE --confirm {self.cell}`.",
                kind="stopped",
            )

    def release(self) -> str:
        """Lift the stop and return what its reason was; raises `InputError` where there is none."""
        reason = self.reason
        if not reason:
            raise InputError(f"cell {self.cell!r}, which is not stopped", expected="a stopped cell", hint="Go on.")
        self.path.unlink()
        return reason
