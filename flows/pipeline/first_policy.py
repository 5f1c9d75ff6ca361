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
from cousins.publishing import contents, publish_folder, staging_folder
from cousins.scene.scene_folder import scene_digest
from cousins.vary.distributions import Constant, Uniform
from cousins.vary.recipes import Recipe, ShapeRange, Splits, SwapRange, TaskRange
from flows.execution.executor import StageExecutor
from flows.execution.stage import Stage, StageContext, deferred
from flows.pipeline.make_pack import BlockJob, VaryRequest, make_block, make_pack
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
class SceneFolder:
    """A scene folder by its content."""

    folder: Path
    """Where it lies."""
    digest: str
    """SHA-256 of what it says."""


def first_policy(executor: StageExecutor, scene: Path) -> dict[str, Any]:
    """Make pack, policy and table, put them into the scene's folder, and return what `--json` prints of them.

    Where a library is missing, or the twin affords no pushing, nothing is made and `skipped` gives the reason.
    """
    absent = missing()
    if absent:
        return {"skipped": f"{', '.join(absent)} not installed: pip install 'cousins[rl]'"}
    started = time.monotonic()
    libraries = " ".join(f"{name} {importlib.metadata.version(name)}" for name in LEARNERS)
    try:
        pack = executor.run(VARY(twin=SceneFolder(folder=scene, digest=scene_digest(scene))))
        policy = executor.run(LEARN(pack=deferred(pack), libraries=libraries))
    except InputError as error:
        return {"skipped": str(error)}
    evaluation = executor.run(EVALUATE(pack=deferred(pack), policy=deferred(policy), libraries=libraries))
    table_file = executor.load(evaluation)
    evaluated: dict[str, Any] = json.loads(table_file.read_bytes())
    _copy_folder(executor.load(pack), scene / PACK)
    _copy_folder(executor.load(policy), scene / POLICY)
    shutil.copyfile(table_file, scene / POLICY / TABLE)
    references = (pack, policy, evaluation)
    return {
        "policy": str(scene / POLICY),
        "pack": str(scene / PACK),
        **evaluated,
        "seconds": round(time.monotonic() - started, 3),
        "stage_seconds": {reference.stage.name: round(reference.seconds, 3) for reference in references},
        "made": [reference.stage.name for reference in references if not reference.reused],
    }


def format_policy(result: dict[str, Any]) -> list[str]:
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
    near = Recipe().at_distance(0.5, axes={"clutter": 0.0, "joints": 0.0, "look": 0.0})
    return replace(
        near,
        shape=ShapeRange(variants=Constant(value=1)),
        swap=SwapRange(families=Constant(value=1)),
        task=TaskRange(goal_distance_m=Uniform(low=0.08, high=0.16)),
        splits=Splits(heldout_near=0.15, heldout_far=0.2, far_shapes=0.34),
    )


def _row(split: str, evaluation: dict[str, Any]) -> list[str]:
    if "skipped" in evaluation:
        return [split, evaluation["skipped"], "", ""]
    end = evaluation["success_at_end"]
    return [split, f"{end['k']} of {end['n']}", f"{end['p']:.0%}", f"{end['low']:.0%} to {end['high']:.0%}"]


def _vary(context: StageContext, twin: SceneFolder) -> None:
    request = VaryRequest(
        scene=twin.folder,
        output=context.folder / PACK,
        recipe=recipe(),
        count=COUNT,
        seed=context.options.seed,
        name="demo",
    )
    make_pack(request, _in_this_process, store=context.store, progress=lambda *_: None)


def _in_this_process(job: BlockJob, numbers: Sequence[int]) -> Iterator[float]:
    """Make the only block in this process: another one would take longer to start."""
    return (make_block(job, number) for number in numbers)


def _learn(context: StageContext, pack: Path, libraries: str) -> None:
    del libraries
    from sim.train.config import LearningConfig, TrainingConfig
    from sim.train.policies import write_policy
    from sim.train.training import train

    learning = LearningConfig(rollout=32, batch=256, learning_rate=1e-3, discount=0.95, log_deviation=-0.5, entropy=0.0)
    training = TrainingConfig(
        task=TASK,
        steps=STEPS,
        seed=context.options.seed,
        twin_share=0.2,
        twin_after=0.2,
        robot="exact",
        timestep_s=TIMESTEP_S,
        horizon_s=4.0,
        learning=learning,
    )
    with tempfile.TemporaryDirectory() as scratch:
        trained = train(pack, training, Path(scratch) / POLICY)
    write_policy(trained.policy, context.folder / POLICY)


def _evaluate(context: StageContext, pack: Path, policy: Path, libraries: str) -> None:
    del libraries
    from sim.train.evaluation import count_failures, evaluate
    from sim.train.policies import read_policy

    learned = read_policy(policy)
    splits: dict[str, Any] = {}
    for split in SPLITS:
        try:
            evaluation = evaluate(learned, pack=pack, split=split, episodes=EPISODES, rows=EPISODES)
        except InputError as error:
            splits[split] = {"skipped": str(error)}
            continue
        splits[split] = {
            "success_at_end": asdict(evaluation.success_at_end),
            "success_once": asdict(evaluation.success_once),
            "failures": count_failures(evaluation.episodes),
        }
    evaluated = {"task": TASK, "steps": learned.card.steps, "cousins": COUNT, "splits": splits}
    (context.folder / TABLE).write_text(json.dumps(evaluated, indent=1) + "\n")


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder to where none or an older copy lies, whole or not at all."""
    before = contents(target)
    with staging_folder(target.parent) as staging:
        shutil.copytree(source, staging / target.name)
        publish_folder(staging / target.name, target, before=before)


VARY = Stage(name="vary", top_package="learning", compute=_vary, read=lambda folder: folder / PACK, options=("seed",))
LEARN = Stage(
    name="learn", top_package="learning", compute=_learn, read=lambda folder: folder / POLICY, options=("seed",)
)
EVALUATE = Stage(name="try", top_package="learning", compute=_evaluate, read=lambda folder: folder / TABLE)
