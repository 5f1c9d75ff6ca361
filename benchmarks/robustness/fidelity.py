"""How much of what a phone measured does a twin explain, on real captures and beside plain fusion of the same frames.

Each capture is scanned as a user would. Every eighth frame is held out from the twin and from the fusion alike; the
twin and the fused surfaces are rendered from these frames and compared with their depth where two other frames confirm
it (within 2 cm + 1 % of the depth). The peer is a TSDF of the same frames with the same poses, at two voxel sizes and
two least weights; the best of its four surfaces stands in the rows. Captures that are not there are named and left out.

    python benchmarks/robustness/fidelity.py [--quick] [--data DIR] [--capture NAME ...] [--json]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.errors import CousinsError
from cousins.fidelity.comparison import supported_by_frame
from cousins.fidelity.plain_fusion import compare_surface
from cousins.fidelity.support import SupportConfig
from cousins.fusion.plain_surface import plain_surface
from cousins.importers.recognition import recognise_input
from cousins.store import Store
from flows.execution.executor import StageExecutor
from flows.execution.stage import no_progress
from flows.pipeline.run_scan import build_twin, local_runner
from flows.pipeline.scan_options import ScanOptions, resolve_options
from program import DATA, program_parser, run_program
from rows import Row, at_least, at_most

CAPTURES = {
    "chair": ("captures/chair_3dscannerapp", "thing"),
    "door handle": ("restricted/doorhandle_record3d_mini", "thing"),
    "kitchen": ("restricted/sevenscenes_redkitchen", "room"),
    "shelf bin": ("sequences/apc_shelf", "room"),
    "office and kitchen walk": ("sequences/hololens_office_kitchen", "room"),
    "messy desk": ("restricted/tum_fr1_rpy_messy_desk", "room"),
}
"""Folder of each capture and whether it shows one table or thing, or a room, shelf or clutter."""
LEAST_EXPLAINED = {"thing": 0.95, "room": 0.90}
"""Bars of the share explained, by kind."""
PLAIN = [(voxel_m, weight) for voxel_m in (0.005, 0.01) for weight in (1.0, 0.2)]
"""Voxel size [m] and least weight of the peer's surfaces."""
ROWS = (
    Row(
        quantity="captures measured",
        value=lambda result: ", ".join(row["capture"] for row in result["captures"]),
    ),
    Row(
        quantity="explained [%]: twin (best plain fusion)",
        bar="≥ 95 a thing, ≥ 90 a room; never below plain fusion",
        value=lambda result: "; ".join(
            f"{row['capture']} {100 * row['explained']:.1f} ({100 * row['plain']['explained']:.1f})"
            for row in result["captures"]
        ),
        met=lambda text: all(
            float(part.rsplit(" ", 2)[1]) >= max(90.0, float(part.rsplit("(", 1)[1].rstrip(")")))
            for part in text.split("; ")
        ),
    ),
    Row(
        quantity="explained by structures and objects alone, without the remainder, which is plain fusion itself [%]",
        value=lambda result: "; ".join(
            f"{row['capture']} {100 * row['explained'] * (1 - row['remainder']):.1f}" for row in result["captures"]
        ),
    ),
    Row(
        quantity="phantom, worst capture [%]",
        bar="≤ 1.5",
        value=lambda result: max(100 * row["phantom"] for row in result["captures"]),
        met=at_most(1.5),
    ),
    Row(
        quantity="phantom [%]: twin (best plain fusion)",
        value=lambda result: "; ".join(
            f"{row['capture']} {100 * row['phantom']:.1f} ({100 * row['plain']['phantom']:.1f})"
            for row in result["captures"]
        ),
    ),
    Row(
        quantity="share of the explained that is remainder, worst capture [%]",
        bar="≤ 35",
        value=lambda result: max(100 * row["remainder"] for row in result["captures"]),
        met=at_most(35.0),
    ),
    Row(
        quantity="colour, worst capture against plain coloured fusion [dB]",
        bar="≥ 0, or ≥ 24 dB",
        value=lambda result: min(
            max(row["color_db"] - row["plain"]["color_db"], row["color_db"] - 24.0)
            for row in result["captures"]
            if row["color_db"] is not None
        ),
        met=at_least(0.0),
    ),
    Row(
        quantity="objects fixed in place, of all",
        value=lambda result: (
            f"{sum(row['fixed'] for row in result['captures'])} of {sum(row['objects'] for row in result['captures'])}"
        ),
    ),
)


def main() -> None:
    parser = program_parser(__doc__, quick="the chair and the kitchen alone", data=DATA)
    parser.add_argument("--capture", action="append", choices=sorted(CAPTURES), help="capture to scan, repeatable")
    run_program(parser, measure, show=_show)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    names = arguments.capture or (["chair", "kitchen"] if arguments.quick else list(CAPTURES))
    rows, absent, refused = [], [], {}
    for name in names:
        folder, kind = CAPTURES[name]
        if not (arguments.data / folder).exists():
            absent.append(name)
            continue
        try:
            rows.append({"capture": name, "kind": kind, **_scan(arguments.data / folder)})
        except CousinsError as error:
            refused[name] = str(error)
            continue
        if not arguments.json:
            print(_line(rows[-1]), flush=True)
    return {"captures": rows, "absent": absent, "refused": refused}


def _scan(export: Path) -> dict[str, Any]:
    """Return the fidelity of a new twin, and that of plain fusion of the same frames."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch))
        executor = StageExecutor(store=store, options=resolve_options(ScanOptions()), progress=no_progress)
        with store.block_sweeps(), local_runner(executor) as runner:
            twin = build_twin(recognise_input(export), runner, executor)
        assert twin.fidelity is not None, "a capture of frames"
        assert twin.capture is not None, "a capture of frames"
        scene, fidelity = executor.load(twin.written), executor.load(twin.fidelity)
        capture = executor.load(twin.capture.aligned).capture
        seconds = time.monotonic() - started
        support = SupportConfig()
        supported = supported_by_frame(capture, support)
        plain = [
            {
                "least_weight": weight,
                **asdict(
                    compare_surface(
                        plain_surface(capture.frames, voxel_m, min_weight=weight), voxel_m, capture, supported, support
                    )
                ),
            }
            for voxel_m, weight in PLAIN
        ]
    return {
        "frames": len(capture.frames),
        "held_out": len(capture.held_out),
        "explained": fidelity.explained,
        "missing": fidelity.missing,
        "phantom": fidelity.phantom,
        "remainder": fidelity.remainder,
        "color_db": fidelity.color_db,
        "verdict": fidelity.verdict,
        "objects": len(scene.objects),
        "fixed": fidelity.fixed_objects,
        "surface_m2": fidelity.surface_m2,
        "unexplained_m2": fidelity.unexplained_m2,
        "structures": [structure.name for structure in scene.structures],
        "plain": max(plain, key=lambda row: row["explained"]),
        "all_plain": plain,
        "seconds": round(seconds, 1),
    }


def _line(row: dict[str, Any]) -> str:
    color = "no colour" if row["color_db"] is None else f"{row['color_db']:.1f} dB ({row['plain']['color_db']:.1f})"
    return (
        f"{row['capture']:<24} explained {100 * row['explained']:.1f} ({100 * row['plain']['explained']:.1f}), "
        f"phantom {100 * row['phantom']:.1f} ({100 * row['plain']['phantom']:.1f}), "
        f"remainder {100 * row['remainder']:.1f} %, {color}, {row['fixed']} of {row['objects']} objects fixed, "
        f"{row['verdict']}, {row['seconds']:.0f} s; in brackets: best plain fusion"
    )


def _show(result: dict[str, Any]) -> None:
    for name, reason in result["refused"].items():
        print(f"{name}: refused: {reason}")
    if result["absent"]:
        print(f"not there: {', '.join(result['absent'])}")


if __name__ == "__main__":
    main()
