"""A suite against a pack: the tests, their cousins and episodes, and the keys of their results."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cousins.codec import plain
from cousins.errors import InputError
from cousins.pack.packs import Pack, selection_of
from cousins.pack.transfer.pull import open_pack
from cousins.regress.plans import Pair, planned_pairs, qualifying_cousins, spread
from cousins.regress.result_keys import Provenance, cousin_digest, portable_key, result_key
from cousins.regress.suites import CousinFilter, PolicySpec, Suite
from cousins.store import json_digest
from sim.bodies.capabilities import capabilities_of
from sim.bodies.named import build as build_body
from sim.physics.installed import require_engines
from sim.regress.policies import load_actor, policy_digest, resolved_policy
from sim.regress.provenance import code_digest, cpu_digest, engine_version
from sim.tasks import Episode, Task, build_task
from sim.tasks.task_source import PhysicsSource, TaskSource


@dataclass(frozen=True, kw_only=True)
class TestPlan:
    """One test: a task in an engine, with its episodes."""

    test: str
    """Id, such as `push-mujoco`."""
    task: str
    """Name of the task."""
    engine: str
    """Name of the engine."""
    pack: str
    """The pack as `open_pack` takes it."""
    policy: PolicySpec
    """The policy with an absolute path."""
    cousins: tuple[int, ...]
    """Numbers of the cousins, all of which afford the task."""
    pairs: tuple[Pair, ...]
    """Episodes in the order of the test."""
    provenance: Provenance
    """What the results follow from beside the cousins."""
    cousin_digests: Mapping[int, str]
    """Digests of the cousins by number."""

    __test__ = False

    @property
    def portable_keys(self) -> dict[Pair, str]:
        """Keys of the results on any CPU, by episode."""
        return {
            (cousin, start): portable_key(self.cousin_digests[cousin], self.provenance, start)
            for cousin, start in self.pairs
        }

    @property
    def keys(self) -> dict[Pair, str]:
        """Keys of the results on this CPU, by episode."""
        return {pair: result_key(key, self.provenance) for pair, key in self.portable_keys.items()}

    def request(self, episodes: Sequence[tuple[int, int, int | None]]) -> dict[str, Any]:
        """Return the request to a simulating process for episodes as (cousin, start, shake)."""
        return {
            "pack": self.pack,
            "policy": asdict(self.policy),
            "task": self.task,
            "engine": self.engine,
            "seed": self.provenance.seed,
            "cousins": list(self.cousins),
            "episodes": [list(episode) for episode in episodes],
        }


@dataclass(frozen=True, kw_only=True)
class SuitePlan:
    """All tests of a suite."""

    suite: Suite
    """The suite."""
    pack_name: str
    """Name of the pack."""
    pack_digest: str
    """Digest of the pack."""
    tests: tuple[TestPlan, ...]
    """The tests."""

    def run_key(self, baseline_digest: str) -> str:
        """Return the digest of everything that the verdicts follow from."""
        tests = {plan.test: [key for _, key in sorted(plan.keys.items())] for plan in self.tests}
        return json_digest({"suite": self.suite.digest, "baseline": baseline_digest, "tests": tests})


def plan_suite(suite: Suite, *, today: datetime.date | None = None) -> SuitePlan:
    """Return the plan of a suite; raises `InputError` where pack, policy, engine, cousins or tasks do not fit.

    Episodes of cousins that are in quarantine on the day `today` are left out; without a day none is.
    """
    require_engines(suite.engines)
    policy = resolved_policy(suite)
    reference = suite.pack_reference
    pack = open_pack(reference)
    available = selection_of(Path(reference)) if Path(reference).is_dir() else None
    numbers = qualifying_cousins(suite.cousins, pack, available)
    if not numbers:
        raise InputError(
            f"no cousin of {suite.cousins.split} that qualifies",
            expected="at least one",
            hint="Widen [cousins] in the suite: `cousins pack info PACK` lists the splits.",
        )
    tests = [
        _without_quarantine(_plan_test(suite, pack, policy, task, engine, numbers), suite, today)
        for task in suite.tasks
        for engine in suite.engines
    ]
    return SuitePlan(suite=suite, pack_name=pack.manifest.meta.name, pack_digest=pack.digest, tests=tuple(tests))


def _plan_test(
    suite: Suite, pack: Pack, policy: PolicySpec, task_name: str, engine: str, numbers: Sequence[int]
) -> TestPlan:
    task, test = build_task(task_name), f"{task_name}-{engine}"
    card = load_actor(policy, task_name).card
    cousins = afforded_cousins(suite.cousins, pack, task, card.body, numbers)
    provenance = Provenance(
        task=json_digest({"name": task.name, "config": plain(task.config)}),
        policy=policy_digest(policy),
        engine=engine,
        engine_version=engine_version(engine),
        code=code_digest(),
        cpu=cpu_digest(),
        seed=suite.seed,
    )
    return TestPlan(
        test=test,
        task=task_name,
        engine=engine,
        pack=suite.pack_reference,
        policy=policy,
        cousins=tuple(cousins),
        pairs=tuple(planned_pairs(cousins, episodes=suite.episodes, seed=suite.seed, test=test)),
        provenance=provenance,
        cousin_digests={number: cousin_digest(pack, number) for number in cousins},
    )


def _without_quarantine(plan: TestPlan, suite: Suite, today: datetime.date | None) -> TestPlan:
    """Return the plan without the episodes of cousins that are in quarantine; the others keep starts and order."""
    left_out = {
        entry.cousin
        for entry in suite.quarantine
        if today is not None and today <= entry.until and entry.test in ("", plan.test)
    }
    return replace(plan, pairs=tuple(pair for pair in plan.pairs if pair[0] not in left_out))


def afforded_cousins(
    cousins_filter: CousinFilter, pack: Pack, task: Task, body: str | None, numbers: Sequence[int]
) -> list[int]:
    """Return cousins that afford a task, as many as a filter counts; raises `InputError` where there is none."""
    built = build_body(task.bodies[0] if body is None else body, urdf=None)
    source = TaskSource(PhysicsSource(pack), task, capabilities_of(built))
    if cousins_filter.numbers:
        for number in numbers:
            source.afforded(number)
        return list(numbers)
    count = len(numbers) if cousins_filter.count is None else cousins_filter.count
    first = spread(numbers, count)
    cousins: list[int] = []
    for number in [*first, *(item for item in numbers if item not in set(first))]:
        if len(cousins) < count and isinstance(source.episode(number), Episode):
            cousins.append(number)
    if not cousins:
        source.first_of(numbers)
    return sorted(cousins)
