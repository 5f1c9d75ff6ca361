"""Every real file of DATA through `cousins scan`, in a process of its own with an empty store.

Told for each: a scene, or a refusal with its words; wall and CPU seconds; objects; whether all gates hold, and which
do not. A refusal counts as an outcome, a crash (no answer in JSON) or running over the limit does not. Why a refusal
is right is said at `FILES`; pictures beside photos are for eyes, not for this program.

    python benchmarks/robustness/real_files.py [--quick] [--data DIR] [--limit SECONDS] [--keep DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "../shared/data"
FILES = (
    "captures/chair_3dscannerapp",
    "captures/arkit_library_frame",
    "captures/roomplan_phone2proc/ani-office.usdz",
    "captures/roomplan_phone2proc/robothor-room.usdz",
    "restricted/roomplan_libroom/Room.json",
    "restricted/roomplan_libroom/Room.usdz",
    "restricted/doorhandle_record3d_mini",
    "restricted/sevenscenes_redkitchen",
    "sequences/apc_shelf/scene-0000",
    "groundtruth/ycbv_000002/000002-depth.png",
    "groundtruth/mosd_learn/learn0_depth.png",
    "groundtruth/mosd_learn/learn16_depth.png",
)
"""The door handle is filmed from 23 cm over 7°, with nothing whole in view: a refusal is right."""
QUICK = FILES[3:6]
LIMIT_S = 300.0
"""Longest time that a scan may take [s]."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="the layout scans alone")
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--only", nargs="*", choices=FILES, help="these alone")
    arguments.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for each")
    arguments.add_argument("--keep", type=Path, help="folder to keep the scenes in")
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in given.only or (QUICK if given.quick else FILES):
            if not (given.data / name).exists():
                print(f"{name}: skipped, it is not in {given.data}", file=sys.stderr)
                continue
            rows.append(scan(name, given.data / name, given.keep or Path(scratch), given.limit))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    result = summary(rows, given.limit)
    print(json.dumps(result) if given.json else "\n".join(f"{k:20} {v}" for k, v in result.items() if k != "files"))


def scan(name: str, source: Path, folder: Path, limit_s: float) -> dict[str, Any]:
    """Scan one file and keep what is counted."""
    scene = folder / name.replace("/", "_").replace(".", "_")
    began, used = time.monotonic(), _cpu_s()
    row: dict[str, Any] = {"name": name}
    with tempfile.TemporaryDirectory() as store:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "flows.cli", "scan", str(source), "-o", str(scene), "--json"],
                env=os.environ | {"COUSINS_STORE": store},
                capture_output=True,
                text=True,
                check=False,
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            return row | {"outcome": "too long", "seconds": round(time.monotonic() - began, 1)}
    row |= {"seconds": round(time.monotonic() - began, 1), "cpu_s": round(_cpu_s() - used, 1)}
    if not done.stdout.strip():
        return row | {"outcome": "crash", "error": done.stderr[-500:]}
    return row | judged(json.loads(done.stdout))


def judged(told: dict[str, Any]) -> dict[str, Any]:
    """Return what counts of the JSON that a scan printed."""
    if "error" in told:
        return {"outcome": "refused", **told["error"]}
    return {
        "outcome": "scene",
        "objects": len(told["assets"]),
        "fixed": sum(bool(asset.get("fixed", False)) for asset in told["assets"]),
        "ok": told["ok"],
        "failed_gates": sorted({one["gate"] for one in told["gate_results"] if not one["passed"]}),
        "stable_fraction": min(gate["stable_fraction"] for gate in told["gates"].values()),
        "max_penetration_mm": max(gate["max_penetration_mm"] for gate in told["gates"].values()),
        "agreement": told["agreement"],
        "peak_rss_mb": told["peak_rss_mb"],
        "fallbacks": told["fallbacks"],
        "warnings": told["warnings"],
    }


def _cpu_s() -> float:
    """Return the CPU seconds of all processes that were started and have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def summary(rows: Sequence[dict[str, Any]], limit_s: float) -> dict[str, Any]:
    """Return counts over all files, and every file's row."""
    made = [row for row in rows if row["outcome"] == "scene"]
    return {
        "given": len(rows),
        "scenes": len(made),
        "refused": sum(row["outcome"] == "refused" for row in rows),
        "neither": sum(row["outcome"] in ("crash", "too long") for row in rows),
        "gates_hold": sum(row["ok"] for row in made),
        "objects": sum(row["objects"] for row in made),
        "fixed_objects": sum(row["fixed"] for row in made),
        "stable_fraction": min((row["stable_fraction"] for row in made), default=None),
        "max_penetration_mm": max((row["max_penetration_mm"] for row in made), default=None),
        "longest_s": max((row["seconds"] for row in rows), default=None),
        "most_cpu_s": max((row.get("cpu_s", 0.0) for row in rows), default=None),
        "limit_s": limit_s,
        "files": list(rows),
    }


def line(row: dict[str, Any]) -> str:
    """Return one file in a line."""
    told = f"{row['name'][:48]:48} {row['seconds']:5.0f} s  {row['outcome']}"
    if row["outcome"] != "scene":
        return f"{told} {row.get('found', '')[:200]}"
    held = "all gates hold" if row["ok"] else "fails " + ", ".join(row["failed_gates"])
    return f"{told}: {row['objects']} objects, {row['fixed']} fixed; {held}"


if __name__ == "__main__":
    main()
