"""Blocks of cousins: sampled, ordered by the coverage that they add, validated in physics, and numbered.

A block depends only on the library, the recipe, the seed and its number, so blocks can be made in any order on any
machine. The draws of a split are one fixed stream; each batch of draws is validated in farthest-first order.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.plugins import load_backend
from cousins.vary.cousin_sampler import CousinSampler, Rejection, sample_cousin
from cousins.vary.cousins import AXES, SPLITS, Cousin, Split, build_scene
from cousins.vary.coverage import farthest_point_order, low_discrepancy_points
from cousins.vary.distance import distance_vector, distances, pose_distances
from cousins.vary.object_instances import rounded_pose
from cousins.vary.placement.clutter import max_clutter_count
from cousins.vary.recipes import Splits
from sim.physics.engine import Engine
from sim.physics.installed import require_engines
from sim.validation.stability_trial import TrialConfig, bullet_trial_config, mujoco_trial_config, run_trial

if TYPE_CHECKING:
    from sim.validation.slot_model import SlotModel

BLOCK_SIZE: Final = 32
"""Number of cousins in a block."""
DRAW_FACTORS: Final = (1.5, 3.0)
"""Draws per missing cousin in a batch, with one engine and with more; the farthest are validated first. With one
engine, a draw costs half as much as a trial; with more, a tenth."""
MAX_DRAWS_PER_COUSIN: Final = 60
"""Largest number of draws per cousin before a block fails, so that an unsatisfiable recipe ends."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Block:
    """A block of cousins and the draws that were rejected."""

    number: int
    """Number of the block."""
    cousins: tuple[Cousin, ...]
    """The cousins, with numbers, poses at rest and distances from the twin."""
    draws: int
    """Number of draws."""
    refused: Mapping[str, int]
    """Number of rejected draws by `axis: reason`."""


class BlockBuilder:
    """Builds blocks one after another with the same engines; a context manager."""

    def __init__(self, sampler: CousinSampler, *, engines: Sequence[str], config: TrialConfig | None = None) -> None:
        self.sampler = sampler
        self._names = tuple(engines)
        self._config = config
        self._stack = ExitStack()
        self.physics_s = 0.0
        """Processor time spent in stability trials [s]."""
        self._slot_model: SlotModel | None = None
        self._engines: list[Engine] = []

    def __enter__(self) -> BlockBuilder:
        require_engines(self._names)
        if self._names[0] == "mujoco":
            self._slot_model = self._make_slot_model()
        for name in self._names:
            module = load_backend("sim.physics.backends", name, kind="engine")
            self._engines.append(self._stack.enter_context(module.build(module.for_trials())))
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()
        self._engines.clear()

    def make(self, number: int) -> Block:
        """Return the block of a number; raises `StageError` where too few of the draws are valid."""
        fractions = self.sampler.recipe.splits
        if not any(variant.held_out for variant in self.sampler.library.variants.values()):
            fractions = replace(fractions, heldout_far=0.0)
        indices_of_split: dict[Split, list[int]] = {split: [] for split in SPLITS}
        for index in range(number * BLOCK_SIZE, (number + 1) * BLOCK_SIZE):
            indices_of_split[split_of(index, fractions)].append(index)
        refused: Counter[str] = Counter()
        cousins_by_index: dict[int, Cousin] = {}
        draws = 0
        for split, indices in indices_of_split.items():
            if split == "twin":
                cousins_by_index |= dict.fromkeys(indices, self.sampler.twin)
                continue
            cousins, split_draws = self._fill(split, number, len(indices), refused)
            draws += split_draws
            cousins_by_index |= dict(zip(indices, cousins, strict=True))
        return Block(
            number=number,
            cousins=tuple(replace(cousins_by_index[index], index=index) for index in sorted(cousins_by_index)),
            draws=draws,
            refused=dict(sorted(refused.items())),
        )

    def _make_slot_model(self) -> SlotModel | None:
        """Return the slot model of the library, None where nothing that is free is rigid; needs MuJoCo."""
        from sim.validation.slot_model import SlotModel, has_free_rigid_objects

        if not has_free_rigid_objects(self.sampler.library):
            return None
        return SlotModel(self.sampler.library, clutter=max_clutter_count(self.sampler.recipe))

    def _fill(self, split: Split, number: int, count: int, refused: Counter[str]) -> tuple[list[Cousin], int]:
        """Return `count` valid cousins of a split, farthest first, and the number of draws."""
        valid: list[Cousin] = []
        draws = 0
        draw_factor = DRAW_FACTORS[len(self._names) > 1]
        while len(valid) < count:
            size = max(4, round(draw_factor * (count - len(valid))))
            if draws > MAX_DRAWS_PER_COUSIN * count:
                raise StageError(
                    f"{len(valid)} of {count} cousins of split {split} after {draws} draws; refused: "
                    + ", ".join(f"{reason} {times}" for reason, times in refused.most_common(3)),
                    stage="vary",
                )
            candidates: list[Cousin] = []
            for offset in range(size):
                cousin = self._sample(split, number, draws + offset)
                if isinstance(cousin, Rejection):
                    refused[f"{cousin.axis}: {cousin.reason}"] += 1
                else:
                    candidates.append(cousin)
            draws += size
            vectors = np.array([distance_vector(cousin.distances) for cousin in candidates]).reshape(-1, len(AXES))
            reference_vectors = np.array(
                [np.zeros(len(AXES)), *(distance_vector(cousin.distances) for cousin in valid)]
            )
            scale = np.maximum(vectors.max(axis=0, initial=0.0), 1e-9)
            for row in farthest_point_order(vectors / scale, selected=reference_vectors / scale):
                if len(valid) == count:
                    break
                start_s = time.process_time()
                outcome = self.validate(candidates[row])
                self.physics_s += time.process_time() - start_s
                if isinstance(outcome, Rejection):
                    refused[f"{outcome.axis}: {outcome.reason}"] += 1
                else:
                    valid.append(outcome)
        return valid, draws

    def _sample(self, split: Split, number: int, offset: int) -> Cousin | Rejection:
        sampler = self.sampler
        key = (2, SPLITS.index(split), number, offset)
        spread = low_discrepancy_points(1, dimensions=len(AXES), start=number * 1024 + offset, seed=sampler.seed)[0]
        candidate = sample_cousin(sampler, split, key, spread)
        if isinstance(candidate, Rejection):
            return candidate
        return replace(candidate, distances=distances(candidate, sampler.library, sampler.twin))

    def validate(self, cousin: Cousin) -> Cousin | Rejection:
        """Return a cousin with its poses at rest and its distances, or why it fails in one of the engines."""
        is_at_rest = False
        if self._slot_model is not None and self._slot_model.can_hold(cousin):
            is_at_rest = True
            trial = self._slot_model.run_trial(cousin, mujoco_trial_config())
            if trial.failures:
                return Rejection(axis="physics", reason=f"{trial.engine}: {trial.failures[0]}")
            cousin = _with_rest_poses(cousin, trial.rest)
        for engine in self._engines[1:] if is_at_rest else self._engines:
            scene = build_scene(cousin, self.sampler.library, looks=False)
            trial = run_trial(
                scene, engine, config=self._config or (bullet_trial_config() if is_at_rest else TrialConfig())
            )
            if trial.failures:
                return Rejection(axis="physics", reason=f"{trial.engine}: {trial.failures[0]}")
            if not is_at_rest:
                cousin, is_at_rest = _with_rest_poses(cousin, trial.rest), True
        return replace(cousin, distances={**cousin.distances, **pose_distances(cousin, self.sampler.twin)})


def split_of(index: int, fractions: Splits) -> Split:
    """Return the split of a cousin, which depends only on its number and the split fractions."""
    if index == 0:
        return "twin"
    if int(index * fractions.heldout_near) > int((index - 1) * fractions.heldout_near):
        return "heldout_near"
    if int(index * fractions.heldout_far + 0.5) > int((index - 1) * fractions.heldout_far + 0.5):
        return "heldout_far"
    return "train"


def _with_rest_poses(cousin: Cousin, rest: Mapping[str, Array]) -> Cousin:
    instances = []
    for instance in cousin.objects:
        pose = rest.get(instance.name)
        if pose is None:
            instances.append(instance)
        else:
            position, quat = rounded_pose(pose)
            instances.append(replace(instance, position_m=position, quat_wxyz=quat))
    return replace(cousin, objects=tuple(instances))
