"""Success of policies trained in cousins of a scan beside that of policies trained in its twin alone.

A scene is scanned by the demo's own pipeline (or given by --scene), and cousins of it are made. A scan shows no joints:
for `close_drawer` a drawer unit of our families is put onto the scanned desk by program, and cousins are made of that.
For each task and seed three policies learn with the same settings and the same number of steps: `twin` in the twin
alone; `noise` in the twin first, then in copies of it with other masses, frictions and starts; `cousins` in the twin
first, then in the train split. All are tried in the same cousins from the same starts: in the twin; in `heldout_near`
and `heldout_far`, which none has seen; `dissimilar`, held-out cousins with an asset of another kind in the target's
place (for the drawer LIBERO's cabinets, joined to the desk); and `shadow`, held-out cousins under PyBullet with masses,
frictions, joints, gains, latency and sensor noise that no training has seen (training is in MuJoCo; this is sim-to-sim
and no statement about a real cell). `shadow_twin` is the same of the twin. The first task is also learned the other way
round, in PyBullet for fewer steps, and tried in a shadow under MuJoCo: `reversed`, reported alone and never pooled.

In the later part of a training, robots of `noise` and `cousins` are late, noisy and differ in their gains, from ranges
that hold most of the shadow's; the robot of `twin` is exact. What cousins alone bring is `cousins` less `noise`.

Settings were chosen on cousins of the train split, for all arms alike. Every episode is counted; a broken world is a
failure. Success is at the end, held for 1 s. Intervals of shares are Wilson's; differences are paired by seed, cousin
and start, and their intervals come from drawing whole cousins.

Each finished training and evaluation is a JSON file under --out, and a rerun goes on from there.

    python benchmarks/twin_vs_cousins.py --quick --json
    python benchmarks/twin_vs_cousins.py --out out/headline
    python benchmarks/twin_vs_cousins.py --out out/headline --tasks push,close_drawer --seeds 3
    python benchmarks/twin_vs_cousins.py --out out/headline --done
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from comparison.page import page
from comparison.sums import summary
from comparison.worlds import DRAWERS, dissimilar, prepare
from program import program_parser
from rows import Row, at_least, interval, points

PROGRAM: Final = Path(__file__)
ARMS: Final = ("twin", "noise", "cousins")
SPLITS: Final = ("twin", "heldout_near", "heldout_far", "dissimilar", "shadow", "shadow_twin")
TIMESTEPS_S: Final = {"mujoco": 1.0 / 240.0, "pybullet": 1.0 / 120.0}
"""Of the engine in training; policies are tried at the engine's own, half as long."""
OTHER: Final = {"mujoco": "pybullet", "pybullet": "mujoco"}
"""The engine of the shadow, by that of the training."""
REVERSED: Final = ("twin", "heldout_far", "shadow")
"""Splits of policies that were trained in PyBullet."""
REVERSED_ARMS: Final = ("twin", "cousins")
REVERSED_STEPS: Final = 120_000
"""Of a training in PyBullet, which takes some twenty times as long as one in MuJoCo."""
PACKS: Final = {"close_drawer": DRAWERS}
"""Packs by task; `pack` for all others."""
ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
ROWS = (
    Row(
        quantity="trained in cousins less trained in the twin, heldout_far and shadow pooled [points]",
        bar="≥ 40",
        value=points("differences", "cousins - twin", "heldout_far+shadow", "value"),
        met=at_least(40.0),
        digits=1,
    ),
    Row(
        quantity="the same, lower end of the interval",
        bar="≥ 20",
        value=points("differences", "cousins - twin", "heldout_far+shadow", "low"),
        met=at_least(20.0),
        digits=1,
    ),
    Row(
        quantity="the same in heldout_far",
        value=points("differences", "cousins - twin", "heldout_far", "value"),
        digits=1,
    ),
    Row(
        quantity="the same in the shadow world (sim-to-sim)",
        value=points("differences", "cousins - twin", "shadow", "value"),
        digits=1,
    ),
    Row(
        quantity="the same in the twin itself",
        bar="≥ -5",
        value=points("differences", "cousins - twin", "twin", "value"),
        met=at_least(-5.0),
        digits=1,
    ),
    Row(
        quantity="the same with dissimilar assets",
        bar="≥ 0",
        value=points("differences", "cousins - twin", "dissimilar", "value"),
        met=at_least(0.0),
        digits=1,
    ),
    *(
        Row(
            quantity=f"success at the end in {split}: trained in the twin; with noise; in cousins [%]",
            value=lambda result, split=split: "; ".join(
                f"{100.0 * arm['p']:.0f}" for arm in result["splits"][split].values()
            ),
        )
        for split in ("twin", "heldout_near", "heldout_far", "dissimilar", "shadow", "shadow_twin")
    ),
    Row(
        quantity="trained in cousins less trained with noise, heldout_far and shadow pooled, with its 95 % [points]",
        value=interval("differences", "cousins - noise", "heldout_far+shadow"),
    ),
    Row(
        quantity="less trained in the twin, pooled, its 95 % drawing whole trainings rather than cousins [points]",
        value=interval("by_training", "cousins - twin"),
    ),
    Row(
        quantity="the same without tasks and seeds of which an arm has not learned the twin, drawing cousins [points]",
        value=interval("learned", "cousins - twin"),
    ),
    Row(
        quantity="trainings that succeed in fewer than half of the episodes in the twin itself",
        value=lambda result: ", ".join(result["unlearned"]) or "none",
    ),
    Row(
        quantity="push in heldout_far after training in so many cousins: success at the end of episodes",
        value=lambda result: (
            ", ".join(f"{count}: {share['k']} of {share['n']}" for count, share in result["counts"].items()) or "none"
        ),
    ),
    Row(
        quantity="push learned in PyBullet, the shadow under MuJoCo: cousins less twin there [points]",
        value=lambda result: (
            interval("reversed", "differences", "shadow")(result) if result["reversed"]["splits"] else "not run"
        ),
    ),
    Row(
        quantity="seeds of each task",
        bar="≥ 5 of push, close_drawer and lift",
        value=lambda result: ", ".join(f"{task} {count}" for task, count in result["seeds"].items()),
        met=lambda value: all(int(part.split()[1]) >= 5 for part in value.split(", ")) and value.count(",") == 2,
    ),
    Row(quantity="episodes; how many broke", value=lambda result: f"{result['episodes']}; {result['faults']}"),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Tasks, seeds, steps and episodes of a run."""

    tasks: tuple[str, ...]
    """Names of the tasks."""
    seeds: int
    """Trainings of each arm and task."""
    steps: dict[str, int]
    """Environment steps of each training, by task."""
    episodes: int
    """Episodes of each policy in each split."""
    counts: tuple[int, ...]
    """Numbers of training cousins that are compared, for the first task; empty for none."""
    reversed: int
    """Trainings of each arm in PyBullet, for the first task."""
    count: int
    """Cousins of the pack."""


QUICK: Final = Plan(tasks=("push",), seeds=3, steps={"push": 320_000}, episodes=34, counts=(), reversed=0, count=160)
FULL: Final = Plan(
    tasks=("push", "close_drawer", "lift"),
    seeds=5,
    steps={"push": 400_000, "close_drawer": 320_000, "lift": 500_000},
    episodes=30,
    counts=(1, 3, 10, 30, 100),
    reversed=1,
    count=240,
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One policy to train and to evaluate."""

    task: str
    """Name of the task."""
    arm: str
    """One of `ARMS`."""
    seed: int
    """Seed of the training."""
    first: int | None = None
    """Number of training cousins; None for all."""
    engine: str = "mujoco"
    """Physics engine of the training."""

    @property
    def name(self) -> str:
        """Unique name, safe as a file name."""
        suffix = "" if self.engine == "mujoco" else f"-{self.engine}"
        return f"{self.task}-{self.arm}{'' if self.first is None else self.first}-{self.seed}{suffix}"

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits in which the policy is evaluated."""
        if self.first is not None:
            return ("heldout_far",)
        return SPLITS if self.engine == "mujoco" else REVERSED

    @property
    def arms(self) -> tuple[str, ...]:
        """Arms that are compared, its own among them."""
        if self.first is not None:
            return (self.arm,)
        return ARMS if self.engine == "mujoco" else REVERSED_ARMS


def main() -> None:
    arguments = _parse()
    plan, out = _plan(arguments), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.job is not None:
        work(Job(**json.loads(arguments.job)), plan, out)
        return
    if arguments.done:
        _report(plan, [job for job in jobs_of(plan) if _is_complete(job, out)], out, arguments, seconds=0.0)
        return
    began = time.monotonic()
    prepare(out, scene=arguments.scene, count=plan.count, packs=dict.fromkeys(map(_pack, plan.tasks)))
    jobs = jobs_of(plan)
    with ThreadPoolExecutor(arguments.workers) as pool:
        for job in pool.map(lambda job: _child(job, out, quick=arguments.quick), jobs):
            print(f"{time.monotonic() - began:7.0f} s  {job.name}", file=sys.stderr, flush=True)
    _report(plan, jobs, out, arguments, seconds=time.monotonic() - began)


def _report(plan: Plan, jobs: list[Job], out: Path, arguments: argparse.Namespace, *, seconds: float) -> None:
    """Sum up the results of the jobs, write the report, and print it."""
    result = summary(out / "done", [job.name for job in jobs], arms=ARMS, splits=SPLITS)
    seeds = {task: len({job.seed for job in jobs if job.task == task}) for task in plan.tasks}
    result = {"quick": arguments.quick, "plan": asdict(plan), "seeds": seeds, "seconds": seconds, **result}
    (out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "report.html").write_text(page(result), encoding="utf-8")
    printed = {name: value for name, value in result.items() if name not in ("curves", "heat")}
    print(json.dumps(printed) if arguments.json else json.dumps(printed["splits"], indent=1))


def _is_complete(job: Job, out: Path) -> bool:
    """Return whether a job is done, and those of the other arms that it is compared with."""
    return all((out / "done" / f"{replace(job, arm=arm).name}.json").is_file() for arm in job.arms)


def jobs_of(plan: Plan) -> list[Job]:
    """Return all policies, seed by seed, so that a run that is cut short has whole seeds."""
    jobs = [Job(task=task, arm=arm, seed=seed) for seed in range(plan.seeds) for task in plan.tasks for arm in ARMS]
    first = plan.tasks[0]
    counted = [Job(task=first, arm="cousins", seed=seed, first=n) for seed in range(2) for n in plan.counts]
    reverse = [
        Job(task=first, arm=arm, seed=seed, engine="pybullet") for seed in range(plan.reversed) for arm in REVERSED_ARMS
    ]
    return jobs + reverse + counted


def work(job: Job, plan: Plan, out: Path) -> None:
    """Train a policy, evaluate it in every split, and write `done/NAME.json`."""
    from cousins.pack.packs import open_folder
    from sim.train.config import TrainingConfig, default_learning
    from sim.train.training import train

    pack, folder = open_folder(out / _pack(job.task)), out / "policies" / job.name
    training = TrainingConfig(
        task=job.task,
        steps=plan.steps[job.task] if job.engine == "mujoco" else REVERSED_STEPS,
        seed=job.seed,
        worlds=job.arm,  # type: ignore[arg-type]
        first=job.first,
        engine=job.engine,
        timestep_s=TIMESTEPS_S[job.engine],
        learning=default_learning("ppo", job.task),
    )
    began = time.monotonic()
    trained = train(pack, training, folder, resume=(folder / "training.json").is_file())
    result = {"job": asdict(job), "seconds": trained.seconds, "curve": list(trained.curve), "splits": {}}
    for split in job.splits:
        split_file = folder / f"tried-{split}.json"
        if not split_file.is_file():
            split_file.write_text(json.dumps(tried_in(split, trained.policy, pack, plan, job)), encoding="utf-8")
        result["splits"][split] = json.loads(split_file.read_text(encoding="utf-8"))
    result["cpu_s"], result["wall_s"] = time.process_time(), time.monotonic() - began
    (out / "done").mkdir(exist_ok=True)
    part = out / "done" / f"{job.name}.part"
    part.write_text(json.dumps(result), encoding="utf-8")
    part.replace(out / "done" / f"{job.name}.json")


def tried_in(split: str, policy: Any, pack: Any, plan: Plan, job: Job) -> dict[str, Any]:
    """Return every episode of a policy in a split; starts depend on the seed alone, not on the arm."""
    from sim.train.evaluation import evaluate

    held_out = pack.indices("heldout_near") + pack.indices("heldout_far")
    conditions: dict[str, Any] = {"pack": pack, "split": split, "engine": job.engine}
    if split == "dissimilar":
        source = dissimilar(pack, _pack(job.task))
        conditions |= {"pack": source, "split": source.indices}
    if split.startswith("shadow"):
        # A third of the held-out cousins for each seed, so that few episodes meet them all.
        mixed = [index for index in held_out if (index + job.seed) % 3 == 0]
        indices = pack.indices("twin") if split == "shadow_twin" else mixed
        conditions |= {"split": indices, "engine": OTHER[job.engine], "shadow": 1000 + job.seed}
    episodes = plan.episodes if split != "shadow_twin" else max(12, plan.episodes // 3)
    rows = 8 if conditions["engine"] == "pybullet" else 16
    evaluation = evaluate(policy, episodes=episodes, rows=rows, seed=100 + job.seed, **conditions)
    return {
        "engine": evaluation.engine,
        "refused": len(evaluation.refused),
        "tried": [asdict(episode) for episode in evaluation.episodes],
    }


def _pack(task: str) -> str:
    """Return the name of a task's pack."""
    return PACKS.get(task, "pack")


def _child(job: Job, out: Path, *, quick: bool) -> Job:
    """Do a job in a process of its own on one thread, unless its result exists."""
    if not (out / "done" / f"{job.name}.json").is_file():
        command = [sys.executable, str(PROGRAM), "--out", str(out), "--job", json.dumps(asdict(job))]
        log = out / f"{job.name}.log"
        with log.open("w") as file:
            process = subprocess.run(
                command + ["--quick"] * quick, stdout=file, stderr=file, env=os.environ | ONE_THREAD, check=False
            )
        if process.returncode:
            raise RuntimeError(f"{job.name} ended with {process.returncode}: {log}")
    return job


def _plan(arguments: argparse.Namespace) -> Plan:
    """Return the quick or the full plan, or the part of it that the arguments select."""
    full = QUICK if arguments.quick else FULL
    tasks = tuple(arguments.tasks.split(",")) if arguments.tasks else full.tasks
    every = arguments.tasks is None and arguments.seeds is None
    counts, reverse = (full.counts, full.reversed) if every else ((), 0)
    return replace(full, tasks=tasks, seeds=arguments.seeds or full.seeds, counts=counts, reversed=reverse)


def _parse() -> argparse.Namespace:
    parser = program_parser(__doc__, quick="push alone, three seeds")
    parser.add_argument("--tasks", help="only these of the plan's, with commas")
    parser.add_argument("--seeds", type=int, help="only so many of the plan's")
    parser.add_argument("--done", action="store_true", help="train nothing: add up the seeds that are done in --out")
    parser.add_argument("--out", type=Path, default=Path("out/twin_vs_cousins"), help="folder of all that is made")
    parser.add_argument("--scene", type=Path, help="scene folder to use; the demo's where not given")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, one thread each")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
