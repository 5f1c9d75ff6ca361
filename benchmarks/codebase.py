"""How easily one finds one's way in the project: names, folders, imports, start-up time, documentation.

Counts are taken from the files with `ast`; times are medians of five fresh processes. Folders of back-ends (one file
for each format, engine, family, command) grow with what they hold and are left out of the largest folder.

    python benchmarks/codebase.py --json
"""

from __future__ import annotations

import ast
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from program import program_parser, run_program
from rows import Row, at_most, entry

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CODE = ("cousins", "sim", "flows", "benchmarks")
BACKEND_FOLDERS = ("backends", "namers", "stores", "formats", "commands")
"""Folders with one file for each variant of a seam, or for each command."""
SCENE_ROOMS = ("scene.io", "scene.layout", "scene.robot_formats", "scene.usd", "scene", "importers")
"""Packages between which imports are counted; the first that fits a module is its room."""
REPEATS = 5

ROWS = (
    Row(quantity="vague names, of all assigned names [%]", bar="≤ 1", value=entry("vague_percent"), met=at_most(1.0)),
    Row(quantity="public class names defined twice", bar="0", value=entry("doubled_classes"), met=at_most(0)),
    Row(quantity="largest folder, modules", bar="≤ 20", value=entry("largest_folder"), met=at_most(20)),
    Row(quantity="imports between rooms of scene and importers", bar="≤ 40", value=entry("arrows"), met=at_most(40)),
    Row(
        quantity="files of flows that a capture passes to domain code, the executor apart",
        bar="≤ 4",
        value=entry("capture_files"),
        met=at_most(4),
    ),
    Row(quantity="the same with the executor's", value=entry("capture_files_with_executor")),
    Row(quantity="`import cousins` [s]", bar="≤ 0.1", value=entry("import_s"), met=at_most(0.1)),
    Row(quantity="the first `Scene` [s]", bar="≤ 0.6", value=entry("scene_s"), met=at_most(0.6)),
    Row(quantity="lines of the README", bar="≤ 90", value=entry("readme_lines"), met=at_most(90)),
    Row(quantity="blocks of README and docs that tests run", value=entry("documented_blocks")),
    Row(quantity="public functions with arrays and no shape", value=entry("shapeless_functions")),
    Row(quantity="unclear words in docstrings", value=entry("unclear_words")),
)


def main() -> None:
    run_program(program_parser(__doc__), measure)


def measure(_: Namespace) -> dict[str, Any]:
    from tests.conventions.plain_words import doubled_classes, survey
    from tests.docs.blocks import blocks_of, pages

    places, totals = survey()
    vague, names = len(places["vague_names"]), sum(totals.values())
    folder, modules = largest_folder()
    return {
        "vague_percent": round(100.0 * vague / names, 3),
        "vague_names": vague,
        "assigned_names": names,
        "unclear_words": len(places["unclear_words"]),
        "shapeless_functions": len(places.get("shapeless_functions", [])),
        "doubled_classes": len(doubled_classes()),
        "largest_folder": modules,
        "largest_folder_name": folder,
        "arrows": scene_arrows(),
        **capture_files(),
        "import_s": start_seconds("import cousins"),
        "scene_s": start_seconds("from cousins import Scene"),
        "readme_lines": len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()),
        "documented_blocks": sum(len(blocks_of(page)) for page in pages()),
    }


def largest_folder() -> tuple[str, int]:
    """Return the folder with most modules, packages' `__init__` and folders of back-ends apart."""
    counts: Counter[str] = Counter()
    for top in CODE:
        for path in (ROOT / top).rglob("*.py"):
            if path.name != "__init__.py" and path.parent.name not in BACKEND_FOLDERS:
                counts[path.parent.relative_to(ROOT).as_posix()] += 1
    return counts.most_common(1)[0]


def scene_arrows() -> int:
    """Return the number of import statements from one room of `cousins.scene` or `cousins.importers` to another."""
    count = 0
    for top in ("scene", "importers"):
        for path in (ROOT / "cousins" / top).rglob("*.py"):
            here = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module:
                    there = room_of(node.module)
                    count += there is not None and there != here
    return count


def room_of(module: str) -> str | None:
    """Return the room of a module; None outside the rooms."""
    return next((room for room in SCENE_ROOMS if f"{module}.".startswith(f"cousins.{room}.")), None)


def capture_files() -> dict[str, Any]:
    """Return the files of `flows` on the call stack when a scan from the command line enters domain code.

    Those of `flows/execution` run any stage and know nothing of captures; they are counted apart.
    """
    from cousins.errors import CaptureError
    from flows.cli import run
    from flows.pipeline import stages

    stack: list[str] = []

    def stop(*_: object, **__: object) -> None:
        stack.extend(frame.filename for frame in traceback.extract_stack())
        raise CaptureError("enough", expected="the call stack", hint="None.")

    original = stages.ingest
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["COUSINS_STORE"] = f"{scratch}/store"
        try:
            stages.ingest = stop
            run(["scan", str(ROOT / "assets/demo_capture/capture"), "-o", f"{scratch}/scene", "--json"], io.StringIO())
        finally:
            stages.ingest = original
    relative = [Path(name).relative_to(ROOT).as_posix() for name in stack if Path(name).is_relative_to(ROOT / "flows")]
    passed = list(dict.fromkeys(relative))
    domain = [name for name in passed if not name.startswith("flows/execution/")]
    return {"capture_files": len(domain), "capture_files_with_executor": len(passed), "capture_path": passed}


def start_seconds(statement: str) -> float:
    """Return the median time that a statement takes in a fresh process, without the interpreter's own start [s]."""
    program = f"import time; start = time.perf_counter(); {statement}; print(time.perf_counter() - start)"
    seconds = []
    for _ in range(REPEATS):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        seconds.append(float(done.stdout))
        time.sleep(0.1)
    return round(statistics.median(seconds), 4)


if __name__ == "__main__":
    main()
