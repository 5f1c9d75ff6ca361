"""A block of cousins: drawn, ordered by how much they add, tried in physics, and numbered.

A block depends on the library, the recipe, the seed and its own number, and on nothing else, so blocks can be made in
any order, anywhere. The draws of a split are one fixed stream; each batch of it is tried farthest first.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cousins.errors import StageError
from cousins.geometry import Array
from cousins.plugins import load
from cousins.vary.cousin_sampler import Drawer, Refusal, draw
from cousins.vary.cousins import AXES, SPLITS, Cousin, Split, realise
from cousins.vary.coverage import even_numbers, farthest_first
from cousins.vary.distance import distances, rest_distances, vector
from cousins.vary.object_instances import written_pose
from cousins.vary.placement.clutter import most_clutter
from cousins.vary.recipes import Splits
from sim.physics.engine import Engine
from sim.validation.slot_model import Superset, fits
from sim.validation.stability_trial import TrialConfig, brisk, quick, try_scene

BLOCK: Final = 32
"""Cousins of a block."""
SPARE: Final = (1.5, 3.0)
"""Draws of a batch over what is still wanted, from which the farthest are tried first: with one engine, a draw costs
half a trial; with more, a tenth."""
MOST_DRAWS: Final = 60
"""Most draws for a wanted cousin before a block gives up: a recipe that fits nowhere must not run forever."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Block:
    """A block and what was refused on the way."""

    number: int
    """Number of the block."""
    cousins: tuple[Cousin, ...]
    """Its cousins, with numbers, poses at rest and distances."""
    draws: int
    """Draws that it took."""
    refused: Mapping[str, int]
    """Number of refused draws by `axis: reason`."""


class Blocks:
    """Makes blocks in a row with the same engines; used as a context manager."""

    def __init__(self, drawer: Drawer, *, engines: Sequence[str], config: TrialConfig | None = None) -> None:
        self.drawer = drawer
        self._names = tuple(engines)
        self._config = config
        self._stack = ExitStack()
        self.physics_s = 0.0
        """Processor time that trials took so far [s]."""
        self._superset: Superset | None = None
        self._engines: list[Engine] = []

    def __enter__(self) -> Blocks:
        if self._names[0] == Superset.name and fits(self.drawer.library):
            self._superset = Superset(self.drawer.library, clutter=most_clutter(self.drawer.recipe))
        for name in self._names:
            module = load("sim.physics.backends", name, kind="engine")
            self._engines.append(self._stack.enter_context(module.build(module.for_trials())))
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()
        self._engines.clear()

    def make(self, number: int) -> Block:
        """Return a block; raises `StageError` where nearly nothing that is drawn holds."""
        shares = self.drawer.recipe.splits
        if not any(variant.held_out for variant in self.drawer.library.variants.values()):
            shares = replace(shares, heldout_far=0.0)
        wanted: dict[Split, list[int]] = {split: [] for split in SPLITS}
        for index in range(number * BLOCK, (number + 1) * BLOCK):
            wanted[split_of(index, shares)].append(index)
        refused: Counter[str] = Counter()
        found: dict[int, Cousin] = {}
        draws = 0
        for split, indices in wanted.items():
            if split == "twin":
                found |= dict.fromkeys(indices, self.drawer.twin)
                continue
            cousins, used = self._fill(split, number, len(indices), refused)
            draws += used
            found |= dict(zip(indices, cousins, strict=True))
        return Block(
            number=number,
            cousins=tuple(replace(found[index], index=index) for index in sorted(found)),
            draws=draws,
            refused=dict(sorted(refused.items())),
        )

    def _fill(self, split: Split, number: int, count: int, refused: Counter[str]) -> tuple[list[Cousin], int]:
        """Return that many valid cousins of a split, farthest first, and the number of draws."""
        chosen: list[Cousin] = []
        used = 0
        spare = SPARE[len(self._names) > 1]
        while len(chosen) < count:
            size = max(4, round(spare * (count - len(chosen))))
            if used > MOST_DRAWS * count:
                raise StageError(
                    f"{len(chosen)} of {count} cousins of split {split} after {used} draws; refused: "
                    + ", ".join(f"{reason} {times}" for reason, times in refused.most_common(3)),
                    stage="vary",
                )
            drawn: list[Cousin] = []
            for offset in range(size):
                cousin = self._draw(split, number, used + offset)
                if isinstance(cousin, Refusal):
                    refused[f"{cousin.axis}: {cousin.reason}"] += 1
                else:
                    drawn.append(cousin)
            used += size
            vectors = np.array([vector(cousin.distances) for cousin in drawn]).reshape(-1, len(AXES))
            given = np.array([np.zeros(len(AXES)), *(vector(cousin.distances) for cousin in chosen)])
            widest = np.maximum(vectors.max(axis=0, initial=0.0), 1e-9)
            for row in farthest_first(vectors / widest, given=given / widest):
                if len(chosen) == count:
                    break
                began = time.process_time()
                tried = self.tried(drawn[row])
                self.physics_s += time.process_time() - began
                if isinstance(tried, Refusal):
                    refused[f"{tried.axis}: {tried.reason}"] += 1
                else:
                    chosen.append(tried)
        return chosen, used

    def _draw(self, split: Split, number: int, offset: int) -> Cousin | Refusal:
        drawer = self.drawer
        key = (2, SPLITS.index(split), number, offset)
        spread = even_numbers(1, dimensions=len(AXES), start=number * 1024 + offset, seed=drawer.seed)[0]
        drawn = draw(drawer, split, key, spread)
        if isinstance(drawn, Refusal):
            return drawn
        return replace(drawn, distances=distances(drawn, drawer.library, drawer.twin))

    def tried(self, cousin: Cousin) -> Cousin | Refusal:
        """Return a cousin with its poses at rest, measured; or why it does not hold in some engine."""
        rested = False
        if self._superset is not None and self._superset.shows(cousin):
            rested = True
            trial = self._superset.try_cousin(cousin, quick())
            if trial.failures:
                return Refusal(axis="physics", reason=f"{trial.engine}: {trial.failures[0]}")
            cousin = _at(cousin, trial.rest)
        for engine in self._engines[1:] if rested else self._engines:
            scene = realise(cousin, self.drawer.library, looks=False)
            trial = try_scene(scene, engine, config=self._config or (brisk() if rested else TrialConfig()))
            if trial.failures:
                return Refusal(axis="physics", reason=f"{trial.engine}: {trial.failures[0]}")
            if not rested:
                cousin, rested = _at(cousin, trial.rest), True
        return replace(cousin, distances={**cousin.distances, **rest_distances(cousin, self.drawer.twin)})


def split_of(index: int, shares: Splits) -> Split:
    """Return what a cousin is for, by its number alone."""
    if index == 0:
        return "twin"
    if int(index * shares.heldout_near) > int((index - 1) * shares.heldout_near):
        return "heldout_near"
    if int(index * shares.heldout_far + 0.5) > int((index - 1) * shares.heldout_far + 0.5):
        return "heldout_far"
    return "train"


def _at(cousin: Cousin, rest: Mapping[str, Array]) -> Cousin:
    stands = []
    for stand in cousin.stands:
        pose = rest.get(stand.name)
        if pose is None:
            stands.append(stand)
        else:
            position, quat = written_pose(pose)
            stands.append(replace(stand, position_m=position, quat_wxyz=quat))
    return replace(cousin, stands=tuple(stands))
