"""Which of the nine tasks are learned by `cousins train` with its defaults, evaluated by `cousins eval`.

All nine are afforded by one kitchen table made by program (`scenes/kitchen.py`) and by its cousins. Each is learned
once for each seed and tried in the twin and in held-out cousins; every episode is counted. Whether a task can be done
at all is another question, answered by the scripts of `tests/sim/tasks`. A training takes some minutes of one core.

What is done lies in --out, and a rerun goes on from there.

    python benchmarks/learning/nine_tasks.py --json
    python benchmarks/learning/nine_tasks.py --tasks place,stack --steps 800000 --out out/longer
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cousins.pack.packs import open_folder
from program import program_parser, run_program
from scenes.kitchen import write_kitchen
from sim.tasks import task_names
from twin_vs_cousins import ONE_THREAD

SPLITS: Final = ("twin", "heldout_near", "heldout_far")
SEED: Final = 11
"""Seed of the cousins."""
SCENE_SEED: Final = 3


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--tasks", help="only these, with commas")
    parser.add_argument("--steps", type=int, help="steps of each training, in place of those of `cousins train`")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each task (1)")
    parser.add_argument("--cousins", type=int, default=120, help="cousins of the pack (120)")
    parser.add_argument("--episodes", type=int, default=40, help="episodes of each policy in each split (40)")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, one thread each (2)")
    parser.add_argument("--out", type=Path, help="folder of all that is made; a temporary one where not given")
    run_program(parser, _measure_in_out)


def _measure_in_out(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        return measure(arguments, arguments.out or Path(scratch))


def measure(arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    tasks = arguments.tasks.split(",") if arguments.tasks else task_names()
    if not (out / "pack" / "pack.json").is_file():
        if not (out / "scene" / "scene.json").is_file():
            write_kitchen(out / "scene", SCENE_SEED)
        _cousins("vary", f"{out}/scene", "-n", str(arguments.cousins), "--seed", str(SEED), "-o", f"{out}/pack")
    jobs = [(task, seed) for seed in range(arguments.seeds) for task in tasks]
    with ThreadPoolExecutor(arguments.workers) as pool:
        begun = [pool.submit(_job, task, seed, arguments, out) for task, seed in jobs]
        results = [future.result() for future in begun]
    return {
        "pack": open_folder(out / "pack").digest,
        "tasks": {
            task: [result for result, (job_task, _) in zip(results, jobs, strict=True) if job_task == task]
            for task in tasks
        },
    }


def _job(task: str, seed: int, arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Train and evaluate a task, unless its result exists."""
    result_file = out / f"{task}-{seed}.json"
    if not result_file.is_file():
        began, policy, pack = time.monotonic(), out / "policies" / f"{task}-{seed}", str(out / "pack")
        words = ["train", pack, "--task", task, "--seed", str(seed), "-o", str(policy)]
        words += ["--steps", str(arguments.steps)] if arguments.steps else []
        words += ["--resume"] if (policy / "training.json").is_file() else []
        result = {"trained": _cousins(*words)}
        tried = ["eval", str(policy), "--pack", pack, "--episodes", str(arguments.episodes), "--seed", str(100 + seed)]
        result |= {split: _cousins(*tried, "--split", split) for split in SPLITS}
        result_file.write_text(json.dumps(result), encoding="utf-8")
        shares = ", ".join(f"{split} {result[split]['success_at_end']['k']}" for split in SPLITS)
        print(f"{task} {seed}: {shares} of {arguments.episodes}; {time.monotonic() - began:.0f} s", file=sys.stderr)
    return _selected(json.loads(result_file.read_text(encoding="utf-8")))


def _selected(result: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a training and its trials."""
    trained = result["trained"]
    return {
        "steps": trained["steps"],
        "seconds": trained["seconds"],
        "curve": [round(point["success_at_end"], 3) for point in trained["curve"]],
        **{
            split: {key: result[split][key] for key in ("episodes", "success_at_end", "success_once", "failures")}
            for split in SPLITS
        },
    }


def _cousins(*words: str) -> dict[str, Any]:
    """Run a command of `cousins` on one thread, and return what it printed."""
    command = [sys.executable, "-m", "flows.cli", *words, "--json"]
    process = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(process.stdout))


if __name__ == "__main__":
    main()
