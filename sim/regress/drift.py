"""Engine drift: the same suite in several engines and versions, against the first of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cousins.errors import EngineError
from cousins.regress.exact_tests import holm, sign_test
from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.plans import Pair
from cousins.regress.result_store import ResultStore
from sim.regress.child_process import SimulatorProcess
from sim.regress.engine_versions import EngineVersion
from sim.regress.episode_series import Budget, ProgressCallback, simulated
from sim.regress.suite_plans import SuitePlan, TestPlan

GRASP_STARTS: Final = 2
"""Starts of the scripted grasp in each cousin."""


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """What a suite's cousins do in one engine."""

    engine: EngineVersion
    """The engine."""
    outcomes: Mapping[str, Mapping[Pair, EpisodeOutcome]]
    """Outcomes by task and episode."""
    gates: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Gate values by cousin."""
    joint_errors: tuple[float, ...] = ()
    """How far each joint ended outside its limits when it was swept [rad or m]."""
    grasps: tuple[bool, ...] = ()
    """Whether the scripted hand lifted the target, by cousin and start."""
    faults: tuple[str, ...] = ()
    """What broke, in the engine's words; the process's death is one of them."""
    cpu_s: float = 0.0
    """CPU time of the simulating processes [s]."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Two engines compared in one task."""

    task: str
    """Name of the task."""
    first: str
    """An engine with its version."""
    second: str
    """Another one."""
    pairs: int
    """Episodes that both have run."""
    lost: int
    """Episodes in which only the first succeeded."""
    gained: int
    """Episodes in which only the second succeeded."""
    equal_states: int
    """Episodes whose states are equal bit by bit."""
    p: float
    """Exact two-sided p-value of the flips, adjusted by Holm over all comparisons."""
    agrees: bool
    """Whether there is no evidence that success differs."""


def run_engine(
    plan: SuitePlan, engine: EngineVersion, *, store: ResultStore, on_progress: ProgressCallback | None = None
) -> EngineRun:
    """Return what the cousins of a plan do in an engine; what the store holds is not run again.

    A process that dies is a fault of the result: the other engines are still worth a look.
    """
    tests = [_in_engine(test, engine) for test in plan.tests if test.engine == plan.suite.engines[0]]
    run = _Run(engine=engine, store=store, on_progress=on_progress)
    for test in tests:
        run.episodes(test)
    run.physics(tests)
    return run.result()


class _Run:
    """Collects what comes in from one engine."""

    def __init__(self, *, engine: EngineVersion, store: ResultStore, on_progress: ProgressCallback | None) -> None:
        self._engine, self._store, self._on_progress = engine, store, on_progress
        self._outcomes: dict[str, dict[Pair, EpisodeOutcome]] = {}
        self._gates: dict[int, Mapping[str, float]] = {}
        self._joints: list[float] = []
        self._grasps: list[bool] = []
        self._faults: list[str] = []
        self._cpu_s = 0.0

    def episodes(self, test: TestPlan) -> None:
        """Run the episodes of a test that are not stored."""
        keys = test.keys
        stored = self._store.get_many(keys.values())
        outcomes = {pair: stored[key] for pair, key in keys.items() if key in stored}
        self._outcomes[test.task] = outcomes
        waiting = [pair for pair in test.pairs if pair not in outcomes]
        with self._process() as process:
            try:
                for pair, outcome in simulated(process, test, waiting, Budget(left_s=float("inf"))):
                    outcomes[pair] = outcome
                    self._store.put(keys[pair], outcome)
                    if self._on_progress is not None:
                        self._on_progress(f"{test.task} in {self._engine}", len(outcomes), len(test.pairs))
            except EngineError as error:
                self._faults.append(str(error))
            self._cpu_s += process.cpu_s
        self._faults += [outcome.fault for outcome in outcomes.values() if outcome.fault]

    def physics(self, tests: Sequence[TestPlan]) -> None:
        """Measure gates, joints and grasps of all cousins."""
        cousins = sorted({cousin for test in tests for cousin in test.cousins})
        request = tests[0].request([]) | {
            "gates": [[cousin, None] for cousin in cousins],
            "probes": [[cousin, GRASP_STARTS] for cousin in cousins],
        }
        with self._process() as process:
            try:
                for reply in process.ask(request):
                    self._take(reply)
            except EngineError as error:
                self._faults.append(str(error))
            self._cpu_s += process.cpu_s

    def result(self) -> EngineRun:
        """Return what has come in."""
        return EngineRun(
            engine=self._engine,
            outcomes=self._outcomes,
            gates=self._gates,
            joint_errors=tuple(self._joints),
            grasps=tuple(self._grasps),
            faults=tuple(dict.fromkeys(self._faults)),
            cpu_s=self._cpu_s,
        )

    def _take(self, reply: Mapping[str, Any]) -> None:
        values = reply.get("gates") or reply["probe"]
        if values["fault"]:
            self._faults.append(f"cousin {reply['cousin']}: {values['fault']}")
        elif "gates" in reply:
            self._gates[reply["cousin"]] = values["values"]
        else:
            self._joints += values["joint_errors"]
            self._grasps += values["grasps"]

    def _process(self) -> SimulatorProcess:
        folder = self._engine.folder
        return SimulatorProcess(engine=str(self._engine), first_paths=[] if folder is None else [folder])


def agreements(runs: Sequence[EngineRun], *, alpha: float) -> list[Agreement]:
    """Return every two engines compared in every task; `alpha` is the level at which they differ."""
    comparisons = [
        _compared(task, first, second)
        for number, first in enumerate(runs)
        for second in runs[number + 1 :]
        for task in first.outcomes
    ]
    adjusted = holm({number: item.p for number, item in enumerate(comparisons)})
    return [
        replace(item, p=adjusted[number], agrees=item.pairs > 0 and adjusted[number] > alpha)
        for number, item in enumerate(comparisons)
    ]


def _compared(task: str, first: EngineRun, second: EngineRun) -> Agreement:
    before, after = first.outcomes[task], second.outcomes.get(task, {})
    pairs = [pair for pair in before if pair in after]
    lost = sum(before[pair].success and not after[pair].success for pair in pairs)
    gained = sum(after[pair].success and not before[pair].success for pair in pairs)
    return Agreement(
        task=task,
        first=str(first.engine),
        second=str(second.engine),
        pairs=len(pairs),
        lost=lost,
        gained=gained,
        equal_states=sum(before[pair].states == after[pair].states for pair in pairs),
        p=min(1.0, 2.0 * sign_test(max(lost, gained), min(lost, gained))),
        agrees=False,
    )


def _in_engine(test: TestPlan, engine: EngineVersion) -> TestPlan:
    provenance = replace(test.provenance, engine=engine.engine, engine_version=engine.version)
    return replace(test, test=f"{test.task}-{engine.engine}", engine=engine.engine, provenance=provenance)
