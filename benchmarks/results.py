"""Run benchmark programs, keep the JSON that they print, and write all of it as RESULTS.md.

In: the programs of this folder and of its folders, each with its rows beside its measurement. Out: one file for each
program, `results/NAME.json`, and RESULTS.md with a table for each. A row is one bar: what was wanted, what was
measured, and whether the bar is met; a program that has not been run is listed as not run.

    python benchmarks/results.py                      # write the tables from the kept results
    python benchmarks/results.py fusion chair         # run these first
    python benchmarks/results.py all
    python benchmarks/results.py vary --peer ~/peers/bin/python   # unknown flags are passed to the programs
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rows import read_rows

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
PROGRAMS = {
    Path(path).stem: FOLDER / path
    for path in (
        "codebase.py",
        "fusion.py",
        "segmentation.py",
        "sam_oracle.py",
        "pose_size.py",
        "robustness/fidelity.py",
        "robustness/large_captures.py",
        "places/places.py",
        "chair.py",
        "gates.py",
        "reconstruction.py",
        "twins.py",
        "robustness/conventions.py",
        "robustness/readers.py",
        "robustness/hostile.py",
        "robustness/real_files.py",
        "robustness/photos.py",
        "robustness/check_foreign.py",
        "robustness/faults.py",
        "robustness/planted_faults.py",
        "robustness/mutants.py",
        "vary.py",
        "validity.py",
        "determinism.py",
        "throughput.py",
        "soak.py",
        "packs.py",
        "affordances.py",
        "twin_vs_cousins.py",
        "learning/replay.py",
        "regression/regress.py",
        "robots/cells.py",
    )
}
"""Programs by name, in the order of their tables."""
BUSY_LOAD = 1.0
"""Load average above which times are too long to be compared with a bar."""
INTRODUCTION = """\
# Results

Made by `python benchmarks/results.py` from what the programs printed (`benchmarks/results/`); each program's
docstring says what it measures and how. Short falls are marked, not left out."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", help=f"programs to run first: {', '.join(PROGRAMS)} or all")
    arguments, program_flags = parser.parse_known_args()
    unknown = sorted(set(arguments.programs) - {*PROGRAMS, "all"})
    if unknown:
        parser.error(f"no program named {unknown[0]!r}; known: {', '.join(PROGRAMS)}, all")
    for name in PROGRAMS if "all" in arguments.programs else arguments.programs:
        run(name, program_flags)
    (FOLDER / "RESULTS.md").write_text(page(), encoding="utf-8")


def run(name: str, program_flags: Sequence[str] = ()) -> None:
    """Run one program and keep its JSON with when and where it ran."""
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        print(f"{name}: the machine is busy (load {load:.1f}); times will be too long", file=sys.stderr)
    began = time.monotonic()
    process = subprocess.run(
        [sys.executable, str(PROGRAMS[name]), "--json", *program_flags], stdout=subprocess.PIPE, check=True, text=True
    )
    record = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(load, 2),
        "seconds": round(time.monotonic() - began, 1),
        "result": json.loads(process.stdout.splitlines()[-1]),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def page() -> str:
    """Return the text of RESULTS.md."""
    parts = [INTRODUCTION]
    for name, program in PROGRAMS.items():
        path = RESULTS / f"{name}.json"
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        parts += ["", f"## {name}", "", *table(program, record)]
    return "\n".join(parts) + "\n"


def table(program: Path, record: dict[str, Any] | None) -> list[str]:
    """Return the lines of a program's table; `record` is what `run` kept of it, None where it was not run."""
    if record is None:
        return ["Not run."]
    conditions = "{date}, {cores} cores, Python {python}, load before {load_before}, {seconds} s".format(**record)
    rows = [row.line(record["result"]) for row in read_rows(program)]
    return [conditions, "", "| what | bar | measured | met |", "|---|---|---|---|", *rows]


if __name__ == "__main__":
    main()
