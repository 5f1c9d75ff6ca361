"""Twins of simulated places in eight kinds, with full truth: what is found, merged, split, missed, and what it costs.

Scenes are built from our families, scanned objects and RoomPlan files, settled in physics, and filmed by a simulated
phone, a RealSense, or a Kinect, with gravity or without (recording.py). Each is scanned as `cousins scan` does, in a
process of its own. The measures are defined where they are computed: objects.py (found, merged, split, shapes),
structure_areas.py (walls and floors), scanning.py (way up, thin things that a warning names). Everything is compared in
the frame of the cameras; nothing is aligned to the truth but the cameras themselves.

The peer gets the same frames with the same poses: plain TSDF, planes removed, connected components; for shapes also
plain TSDF with perfect masks. Misses count as half the object's diagonal.

Films, rows and pictures are kept in a folder: an interrupted run goes on, `--rescan` scans kept films again.

    python benchmarks/places/places.py [--quick] [--kinds KIND ...] [--seeds N] [--work DIR] [--rescan] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from places.films import film
from places.place import KINDS
from places.totals import summary, table
from program import DATA, program_parser, run_program
from rows import Row, at_least, at_most, entry, points

SEEDS = 5
"""Scenes of a kind."""
WORK = Path.home() / ".cache/cousins-places"
"""Folder of films, rows and pictures."""
STAGES = "stages"
"""Folder in a scene's own that holds the results of its stages until it is measured."""
LIMIT_S = 3600
"""Longest time for one scene [s]; a scene that takes longer is a row without a twin."""
ROWS = (
    Row(quantity="scenes with a twin, of all", value=lambda result: f"{result['twins']} of {result['scenes']}"),
    Row(
        quantity="objects found [%], of those visible over ≥ 20 % of their surface",
        bar="≥ 92",
        value=points("total", "found"),
        met=at_least(92.0),
        digits=1,
    ),
    Row(
        quantity="objects merged or split [%]",
        bar="≤ 3",
        value=points("total", "merged_or_split"),
        met=at_most(3.0),
        digits=1,
    ),
    Row(
        quantity="found [%] by kind: ours (plain TSDF, planes removed, components)",
        value=lambda result: "; ".join(
            f"{kind} {100 * row['found']:.0f} ({100 * row['peer_found']:.0f})"
            for kind, row in result["by_kind"].items()
        ),
    ),
    Row(
        quantity="merged or split [%] by kind: ours (peer)",
        value=lambda result: "; ".join(
            f"{kind} {100 * row['merged_or_split']:.0f} ({100 * row['peer_merged_or_split']:.0f})"
            for kind, row in result["by_kind"].items()
        ),
    ),
    Row(
        quantity="Chamfer with misses, over that of plain TSDF with perfect masks",
        bar="≤ 1.2",
        value=entry("total", "chamfer_ratio"),
        met=at_most(1.2),
    ),
    Row(quantity="Chamfer with misses [mm]", value=entry("total", "chamfer_mm"), digits=1),
    Row(quantity="F-score at 10 mm", value=entry("total", "f10mm")),
    Row(quantity="F-score at 10 mm of plain TSDF with perfect masks", value=entry("total", "perfect_f10mm")),
    Row(quantity="volume error, mean", bar="≤ 0.15", value=entry("total", "volume_error"), met=at_most(0.15)),
    Row(
        quantity="volume error, mean of hollow objects",
        bar="≤ 0.20",
        value=entry("total", "hollow_volume_error"),
        met=at_most(0.20),
    ),
    Row(
        quantity="thin things found, or named with their place [%]",
        bar="≥ 90",
        value=points("total", "thin"),
        met=at_least(90.0),
        digits=1,
    ),
    Row(
        quantity="walls and floors: area found of true [%]",
        bar="≥ 95",
        value=points("total", "area_found"),
        met=at_least(95.0),
        digits=1,
    ),
    Row(
        quantity="walls and floors: false area of true [%]",
        bar="≤ 3",
        value=points("total", "area_false"),
        met=at_most(3.0),
        digits=1,
    ),
    Row(
        quantity="way up within 1° or doubted by a warning, without gravity [%]",
        bar="≥ 98",
        value=points("total", "up"),
        met=at_least(98.0),
        digits=1,
    ),
    Row(quantity="way up, largest error without a warning [°]", value=entry("total", "up_worst_deg"), digits=1),
    Row(
        quantity="movable objects fixed in place [%]",
        bar="≤ 5",
        value=points("total", "fixed"),
        met=at_most(5.0),
        digits=1,
    ),
    Row(quantity="assets that hold no point of any object, a scene", value=entry("total", "extra"), digits=1),
    Row(quantity="wall seconds of a scan, median", value=entry("total", "wall_s"), digits=0),
    Row(quantity="memory, largest [MB]", value=entry("total", "peak_mb"), digits=0),
)


def main() -> None:
    parser = program_parser(__doc__, quick="one scene of a kind", data=DATA)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"scenes of a kind ({SEEDS})")
    parser.add_argument("--work", type=Path, default=WORK, help=f"folder of films, rows and pictures ({WORK})")
    parser.add_argument("--rescan", action="store_true", help="scan kept films again")
    parser.add_argument("--scene", nargs=2, metavar=("KIND", "SEED"), help=argparse.SUPPRESS)
    run_program(parser, measure, show=lambda result: print(table(result)))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.scene is not None:
        return measure_scene(arguments.scene[0], int(arguments.scene[1]), arguments)
    rows = []
    for seed in range(1 if arguments.quick else arguments.seeds):
        for kind in arguments.kinds:
            path = arguments.work / f"{kind}_{seed}" / "row.json"
            if arguments.rescan or not path.exists():
                run_scene(kind, seed, arguments)
            rows.append(json.loads(path.read_text(encoding="utf-8")))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    return {"quick": arguments.quick, **summary(rows)}


def run_scene(kind: str, seed: int, arguments: argparse.Namespace) -> None:
    """Measure one scene in a process of its own; a crash or a time-out becomes a row without a twin."""
    path = arguments.work / f"{kind}_{seed}" / "row.json"
    path.unlink(missing_ok=True)
    if arguments.rescan:
        shutil.rmtree(path.parent / STAGES, ignore_errors=True)
    command = [sys.executable, __file__, "--scene", kind, str(seed), "--work", arguments.work, "--data", arguments.data]
    try:
        process = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, timeout=LIMIT_S)
        failure = process.stderr[-2000:]
    except subprocess.TimeoutExpired:
        failure = f"no result after {LIMIT_S} s"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"kind": kind, "seed": seed, "crashed": failure, "objects": []}
        path.write_text(json.dumps(row, indent=1), encoding="utf-8")


def measure_scene(kind: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Film one scene where it is not kept, scan it, write row and picture, and return the row."""
    from places.pictures import draw_beside
    from places.scanning import measure_place

    folder = arguments.work / f"{kind}_{seed}"
    place, recording = film(KINDS[KINDS.index(kind)], seed, folder, arguments.data)
    row, scanned = measure_place(place, recording, folder / STAGES)
    if scanned is not None:
        draw_beside(place, recording, scanned, folder / "beside.png")
    (folder / "row.json").write_text(json.dumps(row, indent=1), encoding="utf-8")
    shutil.rmtree(folder / STAGES)
    return row


def line(row: dict[str, Any]) -> str:
    """Return a scene in a line."""
    name = f"{row['kind']} {row['seed']}"
    if "crashed" in row:
        return f"{name:14} crashed: {row['crashed'][-200:]}"
    solid = [item for item in row["objects"] if not item["thin"]]
    counts = {key: sum(item[key] for item in solid) for key in ("found", "merged", "split", "missed")}
    text = f"{name:14} {row['sensor']:21} " + ", ".join(f"{value} {key}" for key, value in counts.items())
    text += f" of {len(solid)}; {row['assets']} assets, {row['extra']} extra, {row['fixed']} fixed"
    if "refused" in row:
        return f"{text}; refused: {row['refused']}"
    peer = sum(item["found"] for item in row["peer"]["objects"] if not item["thin"])
    fidelity = row["fidelity"]
    return (
        f"{text}; peer {peer} found; up {row['up_error_deg']:.2f}°; explains {100 * fidelity['explained']:.0f} % "
        f"({100 * row['peer']['fidelity']['explained']:.0f}), phantom {100 * fidelity['phantom']:.1f} %; "
        f"{row['cost']['wall_s']:.0f} s, {row['cost']['peak_mb']:.0f} MB"
    )


if __name__ == "__main__":
    main()
