"""The end of `cousins demo`: a small pack of the twin, a tiny policy that learns to push in it, and how that does.

Each of the three is kept by content as the stages of a scan are, so what was made once is only read again. The budget
is a minute of two cores: some thirty cousins near the twin, goals near by, and PPO for as many steps as fit.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from cousins.errors import InputError
from cousins.scene.scene_folder import scene_digest
from cousins.vary.distributions import Constant, Uniform
from cousins.vary.recipes import Recipe, Shape, Splits, Swap, TaskRange
from flows.execution.executor import Desk, Reference, Stage
from flows.pipeline.make_pack import BlockJob, VaryOrder, make_block, vary
from flows.reporting.formatting import table

MODULES: Final = ("gymnasium", "stable_baselines3", "torch", "tensorboard", "safetensors")
"""What the extra `rl` brings."""
LEARNERS: Final = ("gymnasium", "stable-baselines3", "torch", "mujoco")
"""Libraries whose version may change a policy."""
TASK: Final = "push"
COUNT: Final = 31
"""Cousins beside the twin: a block of them with it."""
STEPS: Final = 72_000
"""Environment steps."""
TIMESTEP_S: Final = 0.01
"""Step of the engine in training [s]: as long as its contacts bear."""
EPISODES: Final = 24
"""Episodes in each split."""
SPLITS: Final = ("twin", "heldout_near", "heldout_far")
PACK, POLICY, TABLE = "pack", "policy", "evaluation.json"


@dataclass(frozen=True, kw_only=True)
class Twin:
    """A scene folder by its content."""

    folder: Path
    """Where it lies."""
    digest: str
    """SHA-256 of what it says."""


def first_policy(desk: Desk, scene: Path) -> dict[str, Any]:
    """Make pack, policy and table, put them into the scene's folder, and return what `--json` tells of them.

    Where a library is missing, or the twin affords no pushing, nothing is made and `skipped` tells why.
    """
    absent = missing()
    if absent:
        return {"skipped": f"{', '.join(absent)} not installed: pip install 'cousins[rl]'"}
    began = time.monotonic()
    libraries = " ".join(f"{name} {importlib.metadata.version(name)}" for name in LEARNERS)
    try:
        pack = desk.carry_out(VARY, twin=Twin(folder=scene, digest=scene_digest(scene)))
        policy = desk.carry_out(LEARN, pack=pack, libraries=libraries)
    except InputError as error:
        return {"skipped": str(error)}
    tried = desk.carry_out(TRY, pack=pack, policy=policy, libraries=libraries)
    found: dict[str, Any] = json.loads((desk.folder(tried) / TABLE).read_bytes())
    _put(desk.folder(pack) / PACK, scene / PACK)
    _put(desk.folder(policy) / POLICY, scene / POLICY)
    shutil.copyfile(desk.folder(tried) / TABLE, scene / POLICY / TABLE)
    seconds = {one.stage: round(one.seconds, 3) for one in (pack, policy, tried)}
    return {
        "policy": str(scene / POLICY),
        "pack": str(scene / PACK),
        **found,
        "seconds": round(time.monotonic() - began, 3),
        "stage_seconds": seconds,
        "made": [one.stage for one in (pack, policy, tried) if not one.reused],
    }


def told_policy(result: dict[str, Any]) -> list[str]:
    """Return a policy's table as lines."""
    if "skipped" in result:
        return [f"no policy was trained: {result['skipped']}"]
    cost = f"{result['seconds']:.0f} s with the pack and this table" if result["made"] else "made before"
    learned = f"{result['steps']} steps of PPO in the twin and cousins of a pack of {result['cousins']}"
    further = f"cousins train {result['pack']} --task {result['task']} -o POLICY"
    return [
        f"a policy learned to {result['task']}: {learned}, {cost}",
        "",
        *table(["tried in", "success", "share", "95 %"], [_row(*item) for item in result["splits"].items()]),
        "",
        f"policy  {result['policy']}",
        f"next    {further}    # longer, and better",
    ]


def missing() -> list[str]:
    """Return what the extra `rl` brings and is not installed."""
    return [name for name in MODULES if importlib.util.find_spec(name) is None]


def recipe() -> Recipe:
    """Return what varies in a demo's cousins: enough to see a difference, near enough to learn in half a minute."""
    near = Recipe().at(0.5, axes={"clutter": 0.0, "joints": 0.0, "look": 0.0})
    return replace(
        near,
        shape=Shape(variants=Constant(value=1)),
        swap=Swap(families=Constant(value=1)),
        task=TaskRange(goal_distance_m=Uniform(low=0.08, high=0.16)),
        splits=Splits(heldout_near=0.15, heldout_far=0.2, far_shapes=0.34),
    )


def _row(split: str, found: dict[str, Any]) -> list[str]:
    if "skipped" in found:
        return [split, found["skipped"], "", ""]
    end = found["success_at_end"]
    return [split, f"{end['k']} of {end['n']}", f"{end['p']:.0%}", f"{end['low']:.0%} to {end['high']:.0%}"]


def _vary(desk: Desk, folder: Path, twin: Twin) -> None:
    order = VaryOrder(
        scene=twin.folder, output=folder / PACK, recipe=recipe(), count=COUNT, seed=desk.options.seed, name="demo"
    )
    vary(order, _here, store=desk.store, tell=lambda *_: None)


def _here(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
    """Make the only block in this process: another one would take longer to start."""
    return (make_block(job, number) for number in numbers)


def _learn(desk: Desk, folder: Path, pack: Reference, libraries: str) -> None:
    del libraries
    from sim.train.config import Learning, Training
    from sim.train.policies import write_policy
    from sim.train.training import train

    learning = Learning(rollout=32, batch=256, learning_rate=1e-3, discount=0.95, log_deviation=-0.5, entropy=0.0)
    training = Training(
        task=TASK,
        steps=STEPS,
        seed=desk.options.seed,
        twin_share=0.2,
        twin_after=0.2,
        robot="exact",
        timestep_s=TIMESTEP_S,
        horizon_s=4.0,
        learning=learning,
    )
    with tempfile.TemporaryDirectory() as scratch:
        trained = train(desk.folder(pack) / PACK, training, Path(scratch) / POLICY)
    write_policy(trained.policy, folder / POLICY)


def _try(desk: Desk, folder: Path, pack: Reference, policy: Reference, libraries: str) -> None:
    del libraries
    from sim.train.evaluation import evaluate, failures
    from sim.train.policies import read_policy

    learned, where = read_policy(desk.folder(policy) / POLICY), desk.folder(pack) / PACK
    splits: dict[str, Any] = {}
    for split in SPLITS:
        try:
            found = evaluate(learned, pack=where, split=split, episodes=EPISODES, rows=EPISODES)
        except InputError as error:
            splits[split] = {"skipped": str(error)}
            continue
        splits[split] = {
            "success_at_end": asdict(found.at_end),
            "success_once": asdict(found.once),
            "failures": failures(found.tried),
        }
    told = {"task": TASK, "steps": learned.card.steps, "cousins": COUNT, "splits": splits}
    (folder / TABLE).write_text(json.dumps(told, indent=1) + "\n")


def _put(kept: Path, target: Path) -> None:
    """Copy a folder to where there is none, whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(kept, part)
    part.rename(target)


VARY = Stage(name="vary", top="learning", work=_vary, options=("seed",))
LEARN = Stage(name="learn", top="learning", work=_learn, options=("seed",))
TRY = Stage(name="try", top="learning", work=_try)
