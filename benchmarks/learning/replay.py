"""Prioritised against even replay of cousins: whether drawing those that teach most learns more in the same steps.

For each seed a policy learns to push in the twin; both arms start from it and go on in the train split for the same
steps, the one with cousins drawn evenly, the other by how much they teach (`sim/train/cousin_sampling.py`). Both are
tried in the same episodes of heldout_near and heldout_far. Intervals: Wilson's for each share; for the difference a
bootstrap over cousins, and one over seeds, of which there are few. Some ten minutes of one core.

    python benchmarks/learning/replay.py --pack out/pack --json
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from comparison.worlds import prepare
from cousins.pack.packs import Pack, open_folder
from program import program_parser, run_program
from rows import Row, interval
from sim.train.config import REPLAYS, LearningConfig, TrainingConfig
from sim.train.evaluation import EpisodeResult, evaluate
from sim.train.policies import Policy
from sim.train.proportions import paired_difference, proportion
from sim.train.training import train
from twin_vs_cousins import QUICK

SPLITS: Final = ("heldout_near", "heldout_far")
LEARNING: Final = LearningConfig(
    rollout=32, batch=256, learning_rate=1e-3, discount=0.95, log_deviation=-0.7, entropy=0.0
)
"""Suits ten actions a second."""
ROWS = (
    *(
        Row(
            quantity=quantity,
            value=lambda result, arm=arm: "{p:.0%} of {n} [{low:.0%}, {high:.0%}]".format(
                **result["shares"][arm]["success_at_end"]
            ),
        )
        for quantity, arm in (
            ("success in heldout_near and heldout_far: before the arms part [%]", "twin alone"),
            ("with cousins drawn evenly [%]", "uniform"),
            ("with those drawn most that teach most [%]", "prioritised"),
        )
    ),
    Row(
        quantity="the latter less the former, cousins drawn anew [points]",
        value=interval("prioritised_less_uniform", "cousins", form="+.1f"),
    ),
    Row(
        quantity="the same, seeds drawn anew [points]", value=interval("prioritised_less_uniform", "seeds", form="+.1f")
    ),
)


def main() -> None:
    parser = program_parser(__doc__)
    parser.add_argument("--pack", type=Path, help="pack folder; one of the scanned demo desk where not given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--twin-steps", type=int, default=60_000, help="steps in the twin, before the arms part")
    parser.add_argument("--steps", type=int, default=100_000, help="steps of each arm in the train split")
    parser.add_argument("--episodes", type=int, default=60, help="episodes of each policy in each split")
    run_program(parser, _measure_in_scratch)


def _measure_in_scratch(arguments: argparse.Namespace) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.pack is None:
            prepare(Path(scratch), scene=None, count=QUICK.count, packs=["pack"])
        result = measure(open_folder(arguments.pack or Path(scratch) / "pack"), arguments, Path(scratch))
    return result | {"seconds": time.monotonic() - began, "cpu_s": time.process_time()}


def measure(pack: Pack, arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    episodes_by_arm: dict[str, list[list[EpisodeResult]]] = {arm: [] for arm in REPLAYS}
    curves: dict[str, list[list[float]]] = {arm: [] for arm in REPLAYS}
    at_start: list[EpisodeResult] = []
    for seed in range(arguments.seeds):
        begun = training(arguments.twin_steps, seed=seed)
        start = scratch / f"twin-{seed}"
        at_start += trials(train(pack, begun, start).policy, pack, arguments.episodes)
        for arm in REPLAYS:
            plan = replace(begun, steps=arguments.steps, worlds="cousins", twin_share=0.0, replay=arm, robot="exact")
            trained = train(pack, plan, scratch / f"{arm}-{seed}", start=start)
            episodes_by_arm[arm].append(trials(trained.policy, pack, arguments.episodes))
            curves[arm].append([point["success_at_end"] for point in trained.curve])
            good = proportion([episode.success_at_end for episode in episodes_by_arm[arm][-1]])
            print(f"seed {seed} {arm}: {good.k} of {good.n}, {time.process_time():.0f} s", file=sys.stderr, flush=True)
    wins = {
        arm: [sum(episode.success_at_end for episode in of_seed) for of_seed in episodes_by_arm[arm]] for arm in REPLAYS
    }
    shares = {arm: shares_of([episode for of_seed in episodes_by_arm[arm] for episode in of_seed]) for arm in REPLAYS}
    return {
        "pack": pack.digest,
        "seeds": arguments.seeds,
        "steps": {"twin": arguments.twin_steps, "each arm": arguments.steps},
        "shares": {"twin alone": shares_of(at_start), **shares},
        "by_seed": wins,
        "prioritised_less_uniform": difference(episodes_by_arm["prioritised"], episodes_by_arm["uniform"]),
        "curves": curves,
    }


def training(steps: int, *, seed: int) -> TrainingConfig:
    """Return how every policy begins: in the twin alone, ten actions a second, a robot without faults."""
    return TrainingConfig(
        steps=steps,
        seed=seed,
        worlds="twin",
        control_hz=10.0,
        timestep_s=0.01,
        horizon_s=4.0,
        robot="exact",
        learning=LEARNING,
    )


def trials(policy: Policy, pack: Pack, episodes: int) -> list[EpisodeResult]:
    """Return the episodes of a policy; which they are depends on neither policy nor seed."""
    return [
        episode for split in SPLITS for episode in evaluate(policy, pack=pack, split=split, episodes=episodes).episodes
    ]


def shares_of(episodes: list[EpisodeResult]) -> dict[str, Any]:
    return {
        "success_at_end": asdict(proportion([episode.success_at_end for episode in episodes])),
        "success_once": asdict(proportion([episode.success_once for episode in episodes])),
        "progress": float(np.mean([episode.progress for episode in episodes])),
    }


def difference(first: list[list[EpisodeResult]], second: list[list[EpisodeResult]]) -> dict[str, Any]:
    """Return the difference of paired episodes, with whole cousins drawn, and with whole seeds."""
    ends = [np.array([episode.success_at_end for of_seed in arm for episode in of_seed]) for arm in (first, second)]
    groups_by_kind = {
        "cousins": np.array([episode.cousin for of_seed in first for episode in of_seed]),
        "seeds": np.repeat(np.arange(len(first)), [len(of_seed) for of_seed in first]),
    }
    return {
        group_kind: asdict(paired_difference(*ends, groups, rng=np.random.default_rng(0)))
        for group_kind, groups in groups_by_kind.items()
    }


if __name__ == "__main__":
    main()
