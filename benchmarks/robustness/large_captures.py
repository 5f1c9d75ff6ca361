"""Memory and time of scanning the same room from recordings with more and more frames: flat, and linear.

A simulated phone walks twice about a furnished room; the same walk is filmed with 50, 100, 200 and 400 frames, so that
more frames show no more surface. Each is scanned by `cousins scan` in a process of its own and with an empty store;
time, CPU time and resident memory of all processes together are sampled five times a second, and split by stage.

    python benchmarks/robustness/large_captures.py [--quick] [--frames N ...] [--depth 640x480] [--json]
    python benchmarks/robustness/large_captures.py --capture EXPORT [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.store import Store
from flows.execution.stage import Reference, Stage
from flows.pipeline.run_scan import run_scan
from flows.pipeline.scan_results import ScanRequest
from program import program_parser, run_program
from rows import Row, at_most
from scenes.furnished_room import Recording, write_recording

FRAMES = (50, 100, 200, 400)
"""Frames of the recordings."""
QUICK_FRAMES = (16, 48)
"""The same in a quick run."""
SAMPLE_S = 0.2
"""Time between two looks at the processes [s]."""
ROWS = (
    Row(
        quantity="peak memory by frames [MB]",
        bar="≤ 4,000",
        value=lambda result: "; ".join(f"{run['frames']}: {run['peak_mb']:,}" for run in result["runs"]),
        met=lambda value: all(int(part.split(": ")[1].replace(",", "")) <= 4000 for part in value.split("; ")),
    ),
    Row(
        quantity="growth of peak memory per 100 frames, as a share of the smallest recording's [%]",
        bar="≤ 5",
        value=lambda result: 100.0 * result["mb_per_100_frames"] / result["runs"][0]["peak_mb"],
        met=at_most(5.0),
        digits=1,
    ),
    Row(
        quantity="seconds by frames",
        bar="≤ 300 for 400",
        value=lambda result: "; ".join(f"{run['frames']}: {run['seconds']}" for run in result["runs"]),
        met=lambda value: float(value.split("; ")[-1].split(": ")[1]) <= 300.0,
    ),
    Row(
        quantity="CPU seconds by frames",
        value=lambda result: "; ".join(f"{run['frames']}: {run['cpu_s']}" for run in result["runs"]),
    ),
    Row(
        quantity="stages of the largest recording: seconds, CPU seconds, peak MB",
        value=lambda result: "; ".join(
            f"{name} {stage['seconds']}, {stage['cpu_s']}, {stage['peak_mb']:,}"
            for name, stage in result["runs"][-1]["stages"].items()
        ),
    ),
)


def main() -> None:
    counts = ", ".join(str(count) for count in QUICK_FRAMES)
    parser = program_parser(__doc__, quick=f"recordings of {counts} frames", seed=0)
    parser.add_argument("--frames", type=int, nargs="+", help="frames of the recordings")
    parser.add_argument("--depth", default="256x192", help="size of the depth images [px]: 256x192, or 640x480")
    parser.add_argument("--capture", type=Path, help="scan this export alone, in this process")
    run_program(parser, measure, show=_show)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.capture is not None:
        return {"runs": [scan_cost(arguments.capture)]}
    runs = []
    for frames in arguments.frames or (QUICK_FRAMES if arguments.quick else FRAMES):
        with tempfile.TemporaryDirectory() as scratch:
            export = Path(scratch) / "capture"
            write_recording(export, Recording(frames=frames, depth_size=_size(arguments.depth)), seed=arguments.seed)
            command = [sys.executable, __file__, "--json", "--capture", str(export)]
            printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        runs.append({**json.loads(printed)["runs"][0], "frames": frames})
    return {
        "quick": arguments.quick,
        "depth_px": arguments.depth,
        "runs": runs,
        "mb_per_100_frames": 100.0 * slope([run["frames"] for run in runs], [run["peak_mb"] for run in runs]),
        "s_per_100_frames": 100.0 * slope([run["frames"] for run in runs], [run["seconds"] for run in runs]),
    }


def slope(frames: Sequence[float], values: Sequence[float]) -> float:
    """Return the growth of a value by frame, by least squares; 0 for a single recording."""
    return float(np.polyfit(frames, values, 1)[0]) if len(frames) > 1 else 0.0


def scan_cost(export: Path) -> dict[str, Any]:
    """Return what a scan of an export into an empty store costs, and by stage."""
    references: list[Reference[Any]] = []

    def note(_: Stage[..., object], reference: Reference[object] | None) -> None:
        if reference is not None:
            references.append(reference)

    with tempfile.TemporaryDirectory() as scratch, watched_processes() as samples:
        started = time.monotonic()
        request = ScanRequest(source=export, output=Path(scratch) / "scene")
        result = run_scan(request, runner="plain", progress=note, store=Store(Path(scratch) / "store"))
        ended = time.monotonic()
    spans: dict[str, tuple[float, float]] = {}
    for reference in references:
        start, end = spans.get(reference.stage.name, (reference.started, reference.ended))
        spans[reference.stage.name] = min(start, reference.started), max(end, reference.ended)
    total = samples.cost(started, ended)
    return {
        "frames": None if result.quality is None else int(result.quality.metrics["frames"]),
        **total,
        "objects": len(result.scene.objects),
        "explained": None if result.fidelity is None else round(result.fidelity.explained, 4),
        "digest": result.digest,
        "stages": {name: samples.cost(*span) for name, span in spans.items()},
    }


@dataclass(eq=False)
class ProcessSamples:
    """Memory and CPU time of this process and its children over time."""

    times_s: list[float] = field(default_factory=list)
    """Times on the machine's monotonic clock [s]."""
    rss_bytes: list[int] = field(default_factory=list)
    """Resident memory of all processes together; shared pages count once for each [bytes]."""
    cpu_s: list[float] = field(default_factory=list)
    """CPU time of all processes so far, ended children included [s]."""

    def look(self) -> None:
        """Take a sample now."""
        rss_bytes, cpu_s = 0, 0.0
        parent = psutil.Process()
        for process in [parent, *parent.children(recursive=True)]:
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    rss_bytes += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            cpu_s += times.user + times.system + times.children_user + times.children_system
        self.times_s.append(time.monotonic())
        self.rss_bytes.append(rss_bytes)
        self.cpu_s.append(cpu_s)

    def cost(self, started_s: float, ended_s: float) -> dict[str, float]:
        """Return seconds, CPU seconds and the peak of memory between two times [s]."""
        times_s, rss_bytes = np.array(self.times_s), np.array(self.rss_bytes)
        first = max(int(np.searchsorted(times_s, started_s)) - 1, 0)
        last = min(int(np.searchsorted(times_s, ended_s)), len(times_s) - 1)
        before, after = np.interp([started_s, ended_s], times_s, self.cpu_s)
        return {
            "seconds": round(ended_s - started_s, 1),
            "cpu_s": round(float(after - before), 1),
            "peak_mb": round(float(rss_bytes[first : last + 1].max()) / 1e6),
        }


@contextmanager
def watched_processes() -> Iterator[ProcessSamples]:
    """Sample this process and its children until the end of the block."""
    samples, stop = ProcessSamples(), threading.Event()

    def watch() -> None:
        while not stop.wait(SAMPLE_S):
            samples.look()

    samples.look()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()
        samples.look()


def _size(text: str) -> tuple[int, int]:
    """Return width and height of a size such as `640x480`."""
    width, height = text.split("x")
    return int(width), int(height)


def _show(result: dict[str, Any]) -> None:
    for run in result["runs"]:
        print(f"{run['frames']} frames: {run['seconds']} s, {run['cpu_s']} CPU s, {run['peak_mb']:,} MB")
        for name, stage in run["stages"].items():
            print(f"    {name:<12} {stage['seconds']:>8} s {stage['cpu_s']:>8} CPU s {stage['peak_mb']:>8,} MB")
    if len(result["runs"]) > 1:
        print(f"per 100 frames: {result['mb_per_100_frames']:.0f} MB, {result['s_per_100_frames']:.1f} s")


if __name__ == "__main__":
    main()
