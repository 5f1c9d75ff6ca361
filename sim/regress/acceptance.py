"""Make a baseline: every episode of a suite, goldens repeated and shaken, bands learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cousins.errors import EngineError
from cousins.regress.bands import chaos, learned_bands
from cousins.regress.baselines import Baseline, GoldenBaseline, TestBaseline
from cousins.regress.outcomes import EpisodeOutcome, read_outcome
from cousins.regress.plans import Pair, test_alpha
from cousins.regress.result_store import ResultStore
from cousins.regress.sequential import fewest_losses
from sim.regress.child_process import SimulatorProcess
from sim.regress.episode_series import Budget, ProgressCallback, reusable, simulated
from sim.regress.gate_runs import learned_gates
from sim.regress.suite_plans import SuitePlan, TestPlan


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """A baseline, and what a reader should know about it."""

    baseline: Baseline
    """The baseline."""
    warnings: tuple[str, ...]
    """What weakens it, a sentence each."""


def accept_suite(plan: SuitePlan, *, store: ResultStore, on_progress: ProgressCallback | None = None) -> Acceptance:
    """Return the baseline of a suite; the budget does not hold, since a part would be no baseline.

    Raises `EngineError` where a simulating process dies.
    """
    tests = {test.test: _accept_test(test, plan, store, on_progress) for test in plan.tests}
    engines = plan.suite.engines if plan.suite.gates else ()
    gates = {engine: learned_gates(plan, engine) for engine in engines}
    baseline = Baseline(
        suite=plan.suite.digest,
        pack_name=plan.pack_name,
        pack_digest=plan.pack_digest,
        tests=tests,
        gates=gates,
    )
    return Acceptance(baseline=baseline, warnings=tuple(_warnings(plan, tests)))


def _accept_test(
    plan: TestPlan, suite_plan: SuitePlan, store: ResultStore, on_progress: ProgressCallback | None
) -> TestBaseline:
    golden = suite_plan.suite.golden
    pairs = plan.pairs[: golden.count]
    outcomes = {pair: item.outcome for pair, item in reusable(plan, None, store).items()}
    budget, keys = Budget(left_s=float("inf")), plan.keys
    first: dict[Pair, EpisodeOutcome] = {}
    if pairs:
        with SimulatorProcess(engine=plan.engine) as process:
            first = dict(simulated(process, plan, pairs, budget))
    with SimulatorProcess(engine=plan.engine) as process:
        second = dict(simulated(process, plan, pairs, budget))
        waiting = [pair for pair in plan.pairs if pair not in outcomes]
        for pair, outcome in simulated(process, plan, waiting, budget):
            outcomes[pair] = outcome
            store.put(keys[pair], outcome)
            if on_progress is not None:
                on_progress(plan.test, len(outcomes), len(plan.pairs))
        goldens = {
            pair: _learned(process, plan, pair, (outcomes[pair], first[pair], second[pair]), golden.shaken_runs)
            for pair in pairs
        }
    return TestBaseline(
        provenance=plan.provenance,
        outcomes={pair: replace(outcomes[pair], cpu_s=0.0) for pair in plan.pairs},
        portable_keys=plan.portable_keys,
        goldens=goldens,
    )


def _learned(
    process: SimulatorProcess, plan: TestPlan, pair: Pair, repeats: Sequence[EpisodeOutcome], runs: int
) -> GoldenBaseline:
    """Return what shaken runs say about an episode."""
    request = plan.request([(*pair, shake) for shake in range(runs)])
    shaken = [read_outcome(reply["episode"], source="the simulating process") for reply in process.ask(request)]
    broken = [outcome.fault for outcome in shaken if outcome.fault]
    if broken:
        raise EngineError(f"cousin {pair[0]}, start {pair[1]}, shaken: {broken[0]}", engine=plan.engine)
    return GoldenBaseline(chaotic=chaos(repeats, shaken), bands=learned_bands([outcome.values for outcome in shaken]))


def _warnings(plan: SuitePlan, tests: dict[str, TestBaseline]) -> list[str]:
    needed = fewest_losses(test_alpha(plan.suite))
    sentences = []
    for test, item in tests.items():
        successes = sum(outcome.success for outcome in item.outcomes.values())
        faults = [outcome for outcome in item.outcomes.values() if outcome.fault]
        chaotic = [pair for pair, golden in item.goldens.items() if golden.chaotic]
        if successes < needed:
            sentences.append(f"{test}: {successes} successes, and it takes {needed} losses to fail: it will be vacuous")
        if faults:
            sentences.append(f"{test}: {len(faults)} episodes end in a fault, such as: {faults[0].fault}")
        if chaotic:
            sentences.append(f"{test}: {len(chaotic)} of {len(item.goldens)} goldens are chaotic and not asserted")
    return sentences
