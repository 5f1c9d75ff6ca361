"""Run one test of a suite: goldens twice in fresh processes, a tenth of what is reused, and the rest in its order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cousins.errors import EngineError
from cousins.regress.baselines import TestBaseline
from cousins.regress.changes import changes_since
from cousins.regress.outcomes import EpisodeOutcome, read_outcome
from cousins.regress.plans import Pair, audited_pairs
from cousins.regress.result_store import ResultStore
from cousins.regress.sequential import PairedCounts
from cousins.regress.verdicts import Audit, TestEvidence, level_of
from sim.regress.child_process import SimulatorProcess
from sim.regress.suite_plans import TestPlan

ProgressCallback = Callable[[str, int, int], None]
"""Receives the id of a test, its outcomes so far, and how many are planned."""


@dataclass
class Budget:
    """CPU time that is left."""

    left_s: float
    """Rest of the budget [s]; negative once it is overdrawn."""

    def is_spent(self) -> bool:
        """Whether nothing may be begun any more."""
        return self.left_s <= 0.0


@dataclass(frozen=True, kw_only=True)
class Reused:
    """A result that is not run again."""

    outcome: EpisodeOutcome
    """The result."""
    same_cpu: bool
    """Whether it is of the kind of CPU of this machine."""


class TestRun:
    """One test while its outcomes come in."""

    __test__ = False

    def __init__(
        self, plan: TestPlan, baseline: TestBaseline | None, *, store: ResultStore, budget: Budget, golden: int
    ) -> None:
        """`golden` is the number of episodes whose states are compared."""
        self.plan, self.baseline, self.store, self.budget = plan, baseline, store, budget
        self.keys = plan.keys
        self.reused = reusable(plan, baseline, store)
        self.fresh: dict[Pair, EpisodeOutcome] = {}
        self.golden_pairs = list(plan.pairs[:golden])
        self.goldens: dict[Pair, list[EpisodeOutcome]] = {}
        self.audits: dict[Pair, EpisodeOutcome] = {}
        self.counts, self._position = PairedCounts(), 0

    def run(self, *, alpha: float, run_key: str, on_progress: ProgressCallback | None = None) -> TestEvidence:
        """Return the evidence once the verdict is certain, the plan is done or the budget is spent."""
        crash = ""
        try:
            self._run_goldens()
            with SimulatorProcess(engine=self.plan.engine) as process:
                self._repeat_goldens(process)
                if self._run_rest(process, alpha=alpha, on_progress=on_progress):
                    self._audit(process, audited_pairs(self.reused, run_key=f"{run_key}/{self.plan.test}"))
        except EngineError as error:
            crash = str(error)
        return self.evidence(crash)

    def evidence(self, crash: str = "") -> TestEvidence:
        """Return what has come in so far."""
        return TestEvidence(
            test=self.plan.test,
            level=level_of(self.plan.provenance, self.plan.portable_keys, self.baseline),
            planned=self.plan.pairs,
            outcomes=self._outcomes(),
            reused=frozenset(self.reused),
            audits=tuple(
                Audit(stored=self.reused[pair].outcome, repeated=outcome, same_cpu=self.reused[pair].same_cpu)
                for pair, outcome in self.audits.items()
            ),
            goldens={pair: tuple(runs) for pair, runs in self.goldens.items()},
            crash=crash,
            changed=self._changed(),
        )

    def _changed(self) -> tuple[str, ...]:
        if self.baseline is None:
            return ()
        plan = self.plan
        return changes_since(self.baseline, provenance=plan.provenance, cousin_digests=plan.cousin_digests)

    def _outcomes(self) -> dict[Pair, EpisodeOutcome]:
        return {**self.fresh, **{pair: item.outcome for pair, item in self.reused.items()}}

    def _run_goldens(self) -> None:
        """Run the golden episodes for the first time, in a process of their own."""
        if not self.golden_pairs or self.budget.is_spent():
            return
        with SimulatorProcess(engine=self.plan.engine) as process:
            for pair, outcome in simulated(process, self.plan, self.golden_pairs, self.budget):
                self.goldens[pair] = [outcome]
                if pair in self.reused:
                    self.audits[pair] = outcome
                else:
                    self._keep(pair, outcome)

    def _repeat_goldens(self, process: SimulatorProcess) -> None:
        """Run the golden episodes for the second time, in another process."""
        for pair, outcome in simulated(process, self.plan, list(self.goldens), self.budget):
            self.goldens[pair].append(outcome)

    def _audit(self, process: SimulatorProcess, audited: Sequence[Pair]) -> None:
        """Run some reused episodes again."""
        waiting = [pair for pair in audited if pair not in self.audits]
        self.audits |= dict(simulated(process, self.plan, waiting, self.budget))

    def _run_rest(self, process: SimulatorProcess, *, alpha: float, on_progress: ProgressCallback | None) -> bool:
        """Run what is not known in the order of the plan; return False where an alarm or a fault ended it."""
        self._advance(alpha)
        outcomes = self._outcomes()
        waiting = [pair for pair in self.plan.pairs if pair not in outcomes]
        for pair, outcome in simulated(process, self.plan, waiting, self.budget):
            self._keep(pair, outcome)
            self._advance(alpha)
            if on_progress is not None:
                on_progress(self.plan.test, len(self.fresh) + len(self.reused), len(self.plan.pairs))
            if self.counts.is_alarm(alpha) or self._is_new_fault(outcome):
                return False
        return not self.counts.is_alarm(alpha)

    def _keep(self, pair: Pair, outcome: EpisodeOutcome) -> None:
        self.fresh[pair] = outcome
        self.store.put(self.keys[pair], outcome)

    def _advance(self, alpha: float) -> None:
        """Update the paired test with the outcomes that follow without a gap in the order of the plan."""
        if self.baseline is None:
            return
        while self._position < len(self.plan.pairs) and not self.counts.is_alarm(alpha):
            pair = self.plan.pairs[self._position]
            outcome = self.reused[pair].outcome if pair in self.reused else self.fresh.get(pair)
            if outcome is None:
                return
            self.counts = self.counts.after(baseline=self.baseline.outcomes[pair].success, candidate=outcome.success)
            self._position += 1

    def _is_new_fault(self, outcome: EpisodeOutcome) -> bool:
        return bool(outcome.fault) and not (self.baseline and self.baseline.outcomes[outcome.pair].fault)


def evidence_without_verdict(
    plan: TestPlan, store: ResultStore, *, on_progress: ProgressCallback | None = None
) -> TestEvidence:
    """Return the outcome of every episode of a plan, without a budget; raises `EngineError` for a crash."""
    run = TestRun(plan, None, store=store, budget=Budget(left_s=float("inf")), golden=0)
    evidence = run.run(alpha=0.5, run_key="", on_progress=on_progress)
    if evidence.crash:
        raise EngineError(evidence.crash, engine=plan.engine)
    return evidence


def reusable(plan: TestPlan, baseline: TestBaseline | None, store: ResultStore) -> dict[Pair, Reused]:
    """Return the results of a plan's episodes that the store or the baseline holds; raises `InputError`.

    Those of the store are of this machine's kind of CPU; one of the baseline may be of another, if all else is equal.
    """
    portable, keys = plan.portable_keys, plan.keys
    results: dict[Pair, Reused] = {}
    stored_results = store.get_many(keys.values())
    for pair in plan.pairs:
        stored = stored_results.get(keys[pair])
        if stored is not None:
            results[pair] = Reused(outcome=stored, same_cpu=True)
        elif baseline is not None and baseline.portable_keys.get(pair) == portable[pair]:
            same_cpu = baseline.provenance.cpu == plan.provenance.cpu
            results[pair] = Reused(outcome=baseline.outcomes[pair], same_cpu=same_cpu)
    return results


def simulated(
    process: SimulatorProcess, plan: TestPlan, pairs: Sequence[Pair], budget: Budget, *, shake: int | None = None
) -> Iterator[tuple[Pair, EpisodeOutcome]]:
    """Yield episodes and their outcomes as they end, until the budget is spent; raises `EngineError` for a crash."""
    if not pairs or budget.is_spent():
        return
    used_s = process.cpu_s
    for reply in process.ask(plan.request([(cousin, start, shake) for cousin, start in pairs])):
        outcome = read_outcome(reply["episode"], source="the simulating process")
        budget.left_s -= process.cpu_s - used_s
        used_s = process.cpu_s
        yield outcome.pair, outcome
        if budget.is_spent():
            return
