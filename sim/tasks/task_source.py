"""Sources of cousins for tasks: the robot base placed for the task, one cached episode for each cousin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from cousins.affordances import Signature
from cousins.errors import InputError
from cousins.pack.packs import Pack
from cousins.scene.scenes import Scene
from cousins.vary.cousins import Cousin
from sim.bodies.capabilities import BodyCapabilities
from sim.tasks.affordance_queries import SignatureSource, task_context
from sim.tasks.episode import Episode
from sim.tasks.task import Refused, Task, capabilities_for
from sim.worlds.worlds import CousinSource, Slots, slots_of

MAX_CACHED_SCENES: Final = 64
"""Scenes that are kept between what asks for the same one."""


class PhysicsSource:
    """A pack as a source of physics: its scenes come without their looks."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.digest = pack.digest

    def cousin(self, index: int) -> Cousin:
        """Return a cousin as parameters."""
        return self.pack.cousin(index)

    def scene(self, index: int) -> Scene:
        """Return the scene of a cousin."""
        return self.pack.scene(index, looks=False)

    def signatures(self, index: int) -> Mapping[str, Signature]:
        """Return what each object of a cousin affords, by name."""
        return self.pack.signatures(index)


class TaskSource:
    """A source for one task and one body, by name, by path or by its capabilities; raises `InputError` for others."""

    def __init__(self, source: CousinSource, task: Task, body: str | BodyCapabilities) -> None:
        self.source, self.task = source, task
        self.body = capabilities_for(task, body) if isinstance(body, str) else body
        task.require_body(self.body)
        self.digest = f"{source.digest}:{task.name}:{self.body.name}" if task.moves_base else source.digest
        self._episodes: dict[int, Episode | Refused] = {}
        self.scene = lru_cache(maxsize=MAX_CACHED_SCENES)(source.scene)

    def cousin(self, index: int) -> Cousin:
        """Return a cousin whose robot stands where the task has it."""
        cousin = self.source.cousin(index)
        if not self.task.moves_base:
            return cousin
        episode = self.episode(index)
        if isinstance(episode, Refused):
            return cousin
        return replace(
            cousin, task=replace(cousin.task, robot_base_m=episode.base_m, robot_yaw_rad=episode.base_yaw_rad)
        )

    def episode(self, index: int) -> Episode | Refused:
        """Return what the task is in a cousin, or why it is not afforded."""
        if index not in self._episodes:
            scene = self.scene(index)
            episode = self.task.afford(task_context(self.source, scene, index), self.body)
            self._episodes[index] = with_scene_properties(episode, scene) if isinstance(episode, Episode) else episode
        return self._episodes[index]

    def afforded(self, index: int) -> Episode:
        """Return what the task is in a cousin; raises `InputError` where it is not afforded."""
        episode = self.episode(index)
        if isinstance(episode, Refused):
            raise InputError(
                f"cousin {index}, which does not afford {self.task.name}: {episode.reason}",
                expected="a cousin that affords the task",
                hint="`cousins tasks PACK` lists which do.",
            )
        return episode

    def first_of(self, indices: Sequence[int]) -> int:
        """Return the first of these cousins that affords the task; raises `InputError` where none does."""
        reasons: Counter[str] = Counter()
        for index in indices:
            episode = self.episode(index)
            if isinstance(episode, Episode):
                return index
            reasons[episode.reason] += 1
        reasons_text = (
            "; ".join(f"{count} times {reason}" for reason, count in reasons.most_common(3)) or "there are none"
        )
        raise InputError(
            f"{len(indices)} cousins, none of which affords {self.task.name}: {reasons_text}",
            expected="at least one that does",
            hint="`cousins tasks PACK` lists which tasks a pack affords, with the proof.",
        )

    def slots(self, indices: Sequence[int]) -> Slots:
        """Return columns that hold all these cousins; from signatures where the source has them, which is quick."""
        if not isinstance(self.source, SignatureSource):
            return slots_of(self.source, indices)
        objects: dict[str, int] = {}
        for index in indices:
            for name, signature in self.source.signatures(index).items():
                objects[name] = max(len(signature.joints), objects.get(name, 0))
        joints = tuple((name, number) for name, count in objects.items() for number in range(count))
        return Slots(objects=tuple(objects), joints=joints)


def with_scene_properties(episode: Episode, scene: Scene) -> Episode:
    """Return the episode with masses, frictions and other movable objects of the scene."""
    placed_by_name = {placed.asset.name: placed for placed in scene.objects}
    parts = tuple(
        replace(
            part,
            mass_kg=sum(link.mass_kg.value for link in placed_by_name[part.name].asset.links),
            friction=placed_by_name[part.name].asset.friction.value,
        )
        for part in episode.parts
    )
    handled = {part.name for part in parts}
    return replace(
        episode,
        parts=parts,
        place_friction=placed_by_name[episode.place].asset.friction.value if episode.place else 0.0,
        bystanders=tuple(name for name, placed in placed_by_name.items() if not placed.fixed and name not in handled),
    )
