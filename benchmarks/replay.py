"""Prioritised against even replay of cousins: whether drawing those that teach most learns more in the same steps.

For each seed a policy learns to push in the twin; both arms start from it and go on in the train split for the same
steps, the one with cousins drawn evenly, the other by how much they teach (`sim/train/cousin_sampling.py`). Both are
tried in the same episodes of heldout_near and heldout_far. Intervals: Wilson's for each share; for the difference a
bootstrap over cousins, and one over seeds, of which there are few. Some ten minutes of one core.

    python benchmarks/replay.py --pack out/pack --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from comparison.worlds import prepare
from twin_vs_cousins import QUICK

from cousins.pack.packs import Pack, open_folder
from sim.train.config import REPLAYS, Learning, Training
from sim.train.evaluation import Tried, evaluate
from sim.train.policies import Policy
from sim.train.proportions import paired, share
from sim.train.training import train

SPLITS: Final = ("heldout_near", "heldout_far")
LEARNING: Final = Learning(rollout=32, batch=256, learning_rate=1e-3, discount=0.95, log_deviation=-0.7, entropy=0.0)
"""Suits ten actions a second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, help="pack folder; one of the scanned demo desk where not given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--twin-steps", type=int, default=60_000, help="steps in the twin, before the arms part")
    parser.add_argument("--steps", type=int, default=100_000, help="steps of each arm in the train split")
    parser.add_argument("--episodes", type=int, default=60, help="episodes of each policy in each split")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        if given.pack is None:
            prepare(Path(scratch), scene=None, count=QUICK.count, packs=["pack"])
        result = measure(open_folder(given.pack or Path(scratch) / "pack"), given, Path(scratch))
    result |= {"seconds": time.monotonic() - began, "cpu_s": time.process_time()}
    print(json.dumps(result) if given.json else json.dumps(result, indent=1))


def measure(pack: Pack, given: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    tried: dict[str, list[list[Tried]]] = {arm: [] for arm in REPLAYS}
    curves: dict[str, list[list[float]]] = {arm: [] for arm in REPLAYS}
    at_start: list[Tried] = []
    for seed in range(given.seeds):
        begun = training(given.twin_steps, seed=seed)
        start = scratch / f"twin-{seed}"
        at_start += trials(train(pack, begun, start).policy, pack, given.episodes)
        for arm in REPLAYS:
            plan = replace(begun, steps=given.steps, worlds="cousins", twin_share=0.0, replay=arm, robot="exact")
            trained = train(pack, plan, scratch / f"{arm}-{seed}", start=start)
            tried[arm].append(trials(trained.policy, pack, given.episodes))
            curves[arm].append([point["success_at_end"] for point in trained.curve])
            good = share([one.success_at_end for one in tried[arm][-1]])
            print(f"seed {seed} {arm}: {good.k} of {good.n}, {time.process_time():.0f} s", file=sys.stderr, flush=True)
    wins = {arm: [sum(one.success_at_end for one in of_seed) for of_seed in tried[arm]] for arm in REPLAYS}
    shares = {arm: shares_of([one for of_seed in tried[arm] for one in of_seed]) for arm in REPLAYS}
    return {
        "pack": pack.digest,
        "seeds": given.seeds,
        "steps": {"twin": given.twin_steps, "each arm": given.steps},
        "shares": {"twin alone": shares_of(at_start), **shares},
        "by_seed": wins,
        "prioritised_less_uniform": difference(tried["prioritised"], tried["uniform"]),
        "curves": curves,
    }


def training(steps: int, *, seed: int) -> Training:
    """Return how every policy begins: in the twin alone, ten actions a second, a robot without faults."""
    return Training(
        steps=steps,
        seed=seed,
        worlds="twin",
        control_hz=10.0,
        timestep_s=0.01,
        horizon_s=4.0,
        robot="exact",
        learning=LEARNING,
    )


def trials(policy: Policy, pack: Pack, episodes: int) -> list[Tried]:
    """Return the episodes of a policy; which they are depends on neither policy nor seed."""
    return [one for split in SPLITS for one in evaluate(policy, pack=pack, split=split, episodes=episodes).tried]


def shares_of(tried: list[Tried]) -> dict[str, Any]:
    return {
        "success_at_end": asdict(share([one.success_at_end for one in tried])),
        "success_once": asdict(share([one.success_once for one in tried])),
        "progress": float(np.mean([one.progress for one in tried])),
    }


def difference(first: list[list[Tried]], second: list[list[Tried]]) -> dict[str, Any]:
    """Return the difference of paired episodes, with whole cousins drawn, and with whole seeds."""
    ends = [np.array([one.success_at_end for of_seed in arm for one in of_seed]) for arm in (first, second)]
    by = {
        "cousins": np.array([one.cousin for of_seed in first for one in of_seed]),
        "seeds": np.repeat(np.arange(len(first)), [len(of_seed) for of_seed in first]),
    }
    return {what: asdict(paired(*ends, groups, rng=np.random.default_rng(0))) for what, groups in by.items()}


if __name__ == "__main__":
    main()
