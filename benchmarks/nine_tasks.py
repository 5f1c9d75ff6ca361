"""Which of the nine tasks are learned by what users type: `cousins train` with its defaults, then `cousins eval`.

All nine are afforded by one kitchen table made by program (`kitchen.py`) and by its cousins. Each is learned once for
each seed and tried in the twin and in held-out cousins; every episode is counted. Whether a task can be done at all is
another question, answered by the scripts of `tests/sim/tasks`. A training takes some minutes of one core.

What is done lies in --out, and a rerun goes on from there.

    python benchmarks/nine_tasks.py --json
    python benchmarks/nine_tasks.py --tasks place,stack --steps 800000 --out out/longer
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

from scenes.kitchen import write_kitchen
from twin_vs_cousins import ONE_THREAD

from cousins.pack.packs import open_folder
from sim.tasks import task_names

SPLITS: Final = ("twin", "heldout_near", "heldout_far")
SEED: Final = 11
"""Of the cousins."""
SCENE_SEED: Final = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", help="only these, with commas")
    parser.add_argument("--steps", type=int, help="steps of each training, in place of those of `cousins train`")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each task (1)")
    parser.add_argument("--cousins", type=int, default=120, help="cousins of the pack (120)")
    parser.add_argument("--episodes", type=int, default=40, help="episodes of each policy in each split (40)")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, one thread each (2)")
    parser.add_argument("--out", type=Path, help="folder of all that is made; a passing one where not given")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(given, given.out or Path(scratch))
    print(json.dumps(result) if given.json else json.dumps(result, indent=1))


def measure(given: argparse.Namespace, out: Path) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    tasks = given.tasks.split(",") if given.tasks else task_names()
    if not (out / "pack" / "pack.json").is_file():
        if not (out / "scene" / "scene.json").is_file():
            write_kitchen(out / "scene", SCENE_SEED)
        _cousins("vary", f"{out}/scene", "-n", str(given.cousins), "--seed", str(SEED), "-o", f"{out}/pack")
    jobs = [(task, seed) for seed in range(given.seeds) for task in tasks]
    with ThreadPoolExecutor(given.workers) as pool:
        begun = [pool.submit(_job, task, seed, given, out) for task, seed in jobs]
        done = [one.result() for one in begun]
    return {
        "pack": open_folder(out / "pack").digest,
        "tasks": {task: [one for one, (of, _) in zip(done, jobs, strict=True) if of == task] for task in tasks},
    }


def _job(task: str, seed: int, given: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Let a task be learned and tried, unless that was done before."""
    kept = out / f"{task}-{seed}.json"
    if not kept.is_file():
        began, policy, pack = time.monotonic(), out / "policies" / f"{task}-{seed}", str(out / "pack")
        words = ["train", pack, "--task", task, "--seed", str(seed), "-o", str(policy)]
        words += ["--steps", str(given.steps)] if given.steps else []
        words += ["--resume"] if (policy / "training.json").is_file() else []
        found = {"trained": _cousins(*words)}
        tried = ["eval", str(policy), "--pack", pack, "--episodes", str(given.episodes), "--seed", str(100 + seed)]
        found |= {split: _cousins(*tried, "--split", split) for split in SPLITS}
        kept.write_text(json.dumps(found), encoding="utf-8")
        shares = ", ".join(f"{split} {found[split]['success_at_end']['k']}" for split in SPLITS)
        print(f"{task} {seed}: {shares} of {given.episodes}; {time.monotonic() - began:.0f} s", file=sys.stderr)
    return _told(json.loads(kept.read_text(encoding="utf-8")))


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of a training and its trials."""
    trained = found["trained"]
    return {
        "steps": trained["steps"],
        "seconds": trained["seconds"],
        "curve": [round(point["success_at_end"], 3) for point in trained["curve"]],
        **{
            split: {key: found[split][key] for key in ("episodes", "success_at_end", "success_once", "failures")}
            for split in SPLITS
        },
    }


def _cousins(*words: str) -> dict[str, Any]:
    """Run a command of `cousins` on one thread, and return what it printed."""
    command = [sys.executable, "-m", "flows.cli", *words, "--json"]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    main()
