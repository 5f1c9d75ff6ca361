"""Cell files: TOML that names a cell, its driver, its body, and where the tip may be.

cell = "feetech"                # simulated, feetech or remote
name = "so101-left"
    silence_s = 0.05                # the watchdog's patience; longer on a busy computer

[driver]                        # fields of the driver's Config
port = "/dev/ttyACM0"
calibration = "so101-left.json" # paths are relative to this file

[body]
name = "so101"
urdf = "so101_new_calib.urdf"

[workspace]                     # in the frame of the base; low_m[2] is the table or higher
low_m = [0.05, -0.25, 0.0]
high_m = [0.40, 0.25, 0.35]
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from cousins.errors import InputError
from cousins.plugins import load_backend
from sim.bodies.body import Body
from sim.bodies.kinematics import tip_chain
from sim.bodies.named import build as build_body
from sim.cells.guard import Workspace
from sim.cells.latch import Latch
from sim.cells.supervision import BACKENDS, SILENCE_S, CellPlan

KEYS: Final = ("cell", "name", "driver", "body", "workspace", "silence_s")
SILENCE_RANGE_S: Final = (0.02, 0.5)
"""Between these the watchdog's patience lies [s]: shorter than a busy computer's pauses it stops for nothing."""
SIMULATED: Final = "simulated"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CellFile:
    """A cell as its file describes it."""

    plan: CellPlan
    """Driver, configuration and workspace."""
    body: Body
    """The body of its robot."""

    @property
    def name(self) -> str:
        """Name of the cell."""
        return str(self.plan.config.name)


def read_cell(path: Path) -> CellFile:
    """Return the cell of a file; raises `InputError` for what is missing or unknown in it."""
    try:
        record = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _file_error(path, f"that cannot be read ({error})"[:200]) from error
    unknown = sorted(set(record) - set(KEYS))
    if unknown or not isinstance(record.get("cell"), str) or not isinstance(record.get("name"), str):
        raise _file_error(path, f"with {unknown[0]!r}" if unknown else "without `cell` and `name`")
    Latch(record["name"])
    module = load_backend(BACKENDS, record["cell"], kind="cell")
    config = _config(path, module.Config, record)
    body = _body(path, record, config)
    workspace = _workspace(path, record, body)
    silence_s = record.get("silence_s", SILENCE_S)
    if not isinstance(silence_s, float) or not SILENCE_RANGE_S[0] <= silence_s <= SILENCE_RANGE_S[1]:
        raise _file_error(path, f"whose silence_s is {silence_s!r}, not {SILENCE_RANGE_S[0]} to {SILENCE_RANGE_S[1]}")
    plan = CellPlan(backend=record["cell"], config=config, workspace=workspace, silence_s=silence_s)
    return CellFile(plan=plan, body=body)


def _config(path: Path, config_type: Any, record: Mapping[str, Any]) -> Any:
    """Return the driver's configuration; paths become absolute, numbers are checked."""
    declared = {field.name: field for field in fields(config_type) if field.name != "name"}
    driver = record.get("driver", {})
    if not isinstance(driver, dict) or not set(driver) <= set(declared):
        extra = ", ".join(sorted(set(driver) - set(declared))) if isinstance(driver, dict) else "a value"
        raise _file_error(path, f"whose [driver] has {extra}, which {record['cell']} does not know")
    values: dict[str, Any] = {"name": record["name"]}
    for key, value in driver.items():
        default = declared[key].default
        expected = (
            (int, float) if isinstance(default, float) else (str,) if isinstance(default, Path) else type(default)
        )
        if default is not None and (not isinstance(value, expected) or isinstance(value, bool)):
            raise _file_error(path, f"whose {key} is {value!r}")
        values[key] = path.parent / value if isinstance(default, Path) else value
        if key == "pack" and (path.parent / str(value)).is_dir():
            values[key] = os.fspath(path.parent / str(value))
    return config_type(**values)


def _body(path: Path, record: Mapping[str, Any], config: Any) -> Body:
    entry = record.get(
        "body", {"name": config.body or _task_body(config.task)} if record["cell"] == SIMULATED else None
    )
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not set(entry) <= {"name", "urdf"}:
        raise _file_error(path, "without [body] with `name`, and `urdf` where the project ships none")
    urdf = path.parent / entry["urdf"] if isinstance(entry.get("urdf"), str) else None
    return build_body(entry["name"], urdf=urdf)


def _task_body(task: str) -> str:
    from sim.tasks import build_task

    return build_task(task).bodies[0]


def _workspace(path: Path, record: Mapping[str, Any], body: Body) -> Workspace | None:
    """Return where the tip may be; a simulated robot may go where its model lets it."""
    entry = record.get("workspace")
    if entry is None and record["cell"] == SIMULATED:
        return None
    try:
        low, high = (tuple(float(value) for value in entry[key]) for key in ("low_m", "high_m"))  # type: ignore[index]
        sound = len(low) == len(high) == 3 and all(
            math.isfinite(a) and math.isfinite(b) and a < b for a, b in zip(low, high, strict=True)
        )
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise _file_error(path, "without a [workspace] of two corners, `low_m` below `high_m`")
    return Workspace(low_m=(low[0], low[1], low[2]), high_m=(high[0], high[1], high[2]), chain=tip_chain(body))


def _file_error(path: Path, problem: str) -> InputError:
    return InputError(
        f"a cell file {path.name!r} {problem}",
        expected="cell, name, [driver], [body] and [workspace]",
        hint="See docs/cells/first_day.md; a cell without limits does not move.",
    )
