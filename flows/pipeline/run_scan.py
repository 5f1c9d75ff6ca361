"""One scan from the export to the published scene folder, with its report and what it cost."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cousins.errors import InputError
from cousins.plugins import load
from cousins.scene.scenes import Scene
from cousins.store import Store
from flows.execution.executor import Desk, Options, Tell, say_nothing
from flows.execution.memory import watched_memory
from flows.execution.publish import publish, require_free
from flows.pipeline.scan_job import Twin, export_of, scan_plain
from flows.pipeline.stages import WRITE
from flows.reporting.report import write_report
from flows.reporting.summary import busy_seconds, stage_seconds, summary_of

KEEP_BYTES = 8_000_000_000
"""What the store may hold after a scan; the oldest results go first."""
PICTURES = ("preview.png", "preview.glb")


Judge = Callable[[Scene], dict[str, Any]]
"""Says something about a finished scene, as JSON values."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to scan, and where to."""

    source: Path
    """Phone export, a folder or a zip."""
    output: Path
    """Scene folder to write."""
    options: Options
    """What changes the result."""
    runner: Literal["auto", "plain", "prefect"] = "auto"
    """Who carries the stages out."""
    force: bool = False
    """Whether an older scene may be replaced."""


def default_store() -> Store:
    """Open the store at COUSINS_STORE, or in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Store(Path(os.environ.get("COUSINS_STORE") or cache / "cousins"))


def scan(
    order: Order, *, tell: Tell = say_nothing, store: Store | None = None, judge: Judge | None = None
) -> dict[str, Any]:
    """Scan, publish the scene folder, and return what `--json` prints.

    `judge` looks at the finished scene and adds what it has to say to the report.
    """
    began = time.monotonic()
    require_free(order.output, force=order.force)
    load("cousins.segment.backends", order.options.segmenter, kind="segmenter")
    store = default_store() if store is None else store
    with watched_memory() as peak, store.in_use():
        twin, desk = _carry_out(order, store, tell)
        seconds = stage_seconds(twin.references)
        summary = summary_of(twin, desk) | ({} if judge is None else judge(desk.read(WRITE, twin.written)))
        busy = busy_seconds(twin.references)
        reported = time.monotonic()
        cost: dict[str, Any] = {
            "seconds": round(reported - began, 3),
            "stage_seconds": seconds,
            "orchestration": round(reported - began - busy, 3),
            "reused": sorted({one.stage for one in twin.references if one.reused}),
        }
        with store.workplace() as folder:
            fresh = folder / "scene"
            _lay_out(twin, desk, summary | {"cost": cost}, fresh)
            publish(fresh, order.output)
    store.gc(keep_bytes=KEEP_BYTES)
    cost["stage_seconds"]["report"] = round(time.monotonic() - reported, 3)
    cost["seconds"] = round(time.monotonic() - began, 3)
    return {"scene": str(order.output), **summary, **cost, "peak_rss_mb": round(peak.rss_bytes / 1e6, 1)}


def _carry_out(order: Order, store: Store, tell: Tell) -> tuple[Twin, Desk]:
    export = export_of(order.source)
    lengths = order.options.tag_size_m is not None or bool(order.options.scale_distances)
    layout = order.options.scale_room is not None
    if export.kind != "capture" and (lengths or layout):
        raise InputError(
            f"a known length for {export.path.name!r}, which has no pictures",
            expected="a capture with frames",
            hint="Leave out --tag-size, --scale-distance and --scale-room.",
        )
    if lengths and layout:
        raise InputError(
            "lengths that were measured and a layout scan",
            expected="one of them",
            hint="A tape is better than a layout scan: leave out --scale-room.",
        )
    if order.runner == "prefect" or (order.runner == "auto" and os.environ.get("PREFECT_API_URL")):
        from flows.scan import scan_with_prefect

        return scan_with_prefect(export, store, order.options, tell=tell)
    return scan_plain(export, store, order.options, tell=tell)


def _lay_out(twin: Twin, desk: Desk, summary: dict[str, Any], folder: Path) -> None:
    """Copy the scene and its pictures into a new folder and write the report beside them."""
    shutil.copytree(desk.folder(twin.written) / "scene", folder)
    pictures = desk.folder(twin.pictures)
    for name in PICTURES:
        shutil.copyfile(pictures / name, folder / name)
    (folder / "report.json").write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_report(summary, pictures, folder / "report.html")
