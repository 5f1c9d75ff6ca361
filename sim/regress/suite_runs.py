"""Run a suite: what is known is reused, the rest is simulated until the verdict is certain or the budget is spent."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cousins.errors import InputError
from cousins.regress.baselines import Baseline, TestBaseline
from cousins.regress.plans import test_alpha
from cousins.regress.result_store import ResultStore
from cousins.regress.suites import Suite
from cousins.regress.verdicts import RED, TestEvidence, TestVerdict, judge, judge_gates, never_greener
from sim.regress.episode_series import Budget, ProgressCallback, TestRun
from sim.regress.gate_runs import gate_provenance, gated_cousins, measure_gates
from sim.regress.suite_plans import SuitePlan, TestPlan


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """What a run found out."""

    verdicts: tuple[TestVerdict, ...]
    """Verdicts of all tests and gates."""
    evidence: Mapping[str, TestEvidence]
    """Evidence by id of the test."""
    cpu_s: float
    """CPU time of the simulated episodes [s]."""
    notes: tuple[str, ...]
    """What a reader should know, a sentence each."""


def run_suite(
    plan: SuitePlan,
    *,
    baseline: Baseline | None,
    store: ResultStore,
    today: datetime.date,
    on_progress: ProgressCallback | None = None,
) -> SuiteRun:
    """Run the tests of a plan and judge them; raises `InputError` where the baseline lacks one of their episodes.

    Running the same again goes on where the budget ended, and never turns a red verdict green.
    """
    suite = plan.suite
    befores = {test.test: None if baseline is None else require_covered(baseline, test) for test in plan.tests}
    budget = Budget(left_s=suite.budget_cpu_s)
    run_key = plan.run_key("" if baseline is None else baseline.digest)
    earlier = store.red_tests(run_key)
    evidence: dict[str, TestEvidence] = {}
    verdicts: list[TestVerdict] = []
    for test in plan.tests:
        run = TestRun(test, befores[test.test], store=store, budget=budget, golden=suite.golden.count)
        evidence[test.test] = run.run(alpha=test_alpha(suite), run_key=run_key, on_progress=on_progress)
        verdicts.append(judge(evidence[test.test], befores[test.test], alpha=test_alpha(suite)))
    verdicts += gate_verdicts(plan, baseline)
    verdicts = [never_greener(verdict, earlier.get(verdict.test)) for verdict in verdicts]
    for verdict in verdicts:
        if verdict.state in RED and verdict.test not in earlier:
            store.remember_red(run_key, verdict.test, state=verdict.state, reason=verdict.reason)
    return SuiteRun(
        verdicts=tuple(with_quarantine(verdict, suite, today=today) for verdict in verdicts),
        evidence=evidence,
        cpu_s=suite.budget_cpu_s - budget.left_s,
        notes=tuple(quarantine_notes(suite, today=today)),
    )


def require_covered(baseline: Baseline, plan: TestPlan) -> TestBaseline:
    """Return the baseline of a test; raises `InputError` where it lacks a planned episode."""
    before = baseline.tests[plan.test]
    missing = [pair for pair in plan.pairs if pair not in before.outcomes]
    if missing:
        raise InputError(
            f"a baseline without cousin {missing[0][0]}, start {missing[0][1]} of {plan.test}"
            f" ({len(missing)} of {len(plan.pairs)} episodes are missing)",
            expected="every episode of the suite: no verdict is given on a part",
            hint="The pack has other cousins than when it was accepted: type `cousins regress accept SUITE`.",
        )
    return before


def gate_verdicts(plan: SuitePlan, baseline: Baseline | None) -> list[TestVerdict]:
    """Return the verdict of the gates in each engine; none where the suite bounds no gate."""
    if not plan.suite.gates:
        return []
    verdicts = []
    for engine in plan.suite.engines:
        digests = gated_cousins(plan, engine)
        measured = measure_gates(plan, engine, list(digests))
        verdicts.append(
            judge_gates(
                engine,
                measured.values,
                digests,
                thresholds=plan.suite.gates,
                provenance=gate_provenance(plan, engine),
                baseline=None if baseline is None else baseline.gates.get(engine),
                faults=measured.faults,
            )
        )
    return verdicts


def with_quarantine(verdict: TestVerdict, suite: Suite, *, today: datetime.date) -> TestVerdict:
    """Return the verdict, marked where an entry that has not expired keeps it from deciding."""
    for entry in suite.quarantine:
        if entry.test == verdict.test and entry.cousin is None and today <= entry.until:
            return replace(verdict, quarantine=f"until {entry.until.isoformat()}: {entry.issue}")
    return verdict


def quarantine_notes(suite: Suite, *, today: datetime.date) -> list[str]:
    """Return a sentence for each quarantine entry: which cousins are left out, and which entries have expired."""
    notes = []
    for entry in suite.quarantine:
        subject = " of ".join(
            text for text in (f"cousin {entry.cousin}" if entry.cousin is not None else "", entry.test) if text
        )
        if today > entry.until:
            notes.append(f"the quarantine of {subject} expired on {entry.until.isoformat()} and has no effect")
        elif entry.cousin is not None:
            notes.append(f"{subject} is left out until {entry.until.isoformat()}: {entry.issue}")
    return notes
