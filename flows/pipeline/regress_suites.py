"""What `cousins regress` does with a suite file: run it against its baseline, accept its results, repeat an episode."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cousins.errors import InputError
from cousins.regress.baselines import Baseline, baseline_path, read_baseline, require_comparable, write_baseline
from cousins.regress.outcomes import outcome_record
from cousins.regress.result_store import ResultStore
from cousins.regress.suite_results import result_json
from cousins.regress.suites import Suite, read_suite
from sim.regress.acceptance import accept_suite
from sim.regress.child_process import SimulatorProcess
from sim.regress.episode_series import Budget, ProgressCallback, simulated
from sim.regress.provenance import code_digest, cpu_digest, engine_version
from sim.regress.suite_plans import SuitePlan, plan_suite
from sim.regress.suite_runs import SuiteRun, run_suite

TODAY_VARIABLE = "COUSINS_REGRESS_TODAY"
"""Environment variable with a date that stands for today's, so that a run about quarantines can be repeated."""


def today() -> datetime.date:
    """Return the day that decides about quarantines; raises `InputError` for a variable that holds none."""
    text = os.environ.get(TODAY_VARIABLE)
    if text is None:
        return datetime.datetime.now(tz=datetime.UTC).date()
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"{TODAY_VARIABLE}={text!r}", expected="a date such as 2026-12-31", hint="Mend or unset it."
        ) from error


def run(
    suite_path: Path,
    *,
    against: Path | None,
    store: ResultStore,
    budget_cpu_s: float | None = None,
    on_progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Return the JSON of a run against a baseline: the one beside the suite, or none where there is none."""
    suite = read_suite(suite_path)
    if budget_cpu_s is not None:
        suite = replace(suite, budget_cpu_s=budget_cpu_s)
    day = today()
    source = against or baseline_path(suite_path)
    baseline = read_baseline(source) if against is not None or source.exists() else None
    plan = plan_suite(suite, today=day)
    if baseline is not None:
        require_comparable(baseline, suite, pack_name=plan.pack_name, source=os.fspath(source))
    done = run_suite(plan, baseline=baseline, store=store, today=day, on_progress=on_progress)
    return result_json(
        done.verdicts,
        done.evidence,
        baseline,
        suite_path=os.fspath(suite_path),
        context=_context(plan, done, baseline, source),
    )


def accept(
    suite_path: Path, *, output: Path | None, store: ResultStore, on_progress: ProgressCallback | None = None
) -> dict[str, Any]:
    """Write the baseline of a suite and return what is in it."""
    suite = read_suite(suite_path)
    target = output or baseline_path(suite_path)
    accepted = accept_suite(plan_suite(suite), store=store, on_progress=on_progress)
    write_baseline(target, accepted.baseline)
    return {"baseline": os.fspath(target), **describe_baseline(accepted.baseline), "warnings": list(accepted.warnings)}


def describe_baseline(baseline: Baseline) -> dict[str, Any]:
    """Return what is in a baseline as JSON values."""
    return {
        "digest": baseline.digest,
        "pack": {"name": baseline.pack_name, "digest": baseline.pack_digest},
        "tests": {
            test: {
                "episodes": len(item.outcomes),
                "successes": sum(outcome.success for outcome in item.outcomes.values()),
                "faults": sum(bool(outcome.fault) for outcome in item.outcomes.values()),
                "goldens": len(item.goldens),
                "chaotic": sum(bool(golden.chaotic) for golden in item.goldens.values()),
                "engine_version": item.provenance.engine_version,
            }
            for test, item in baseline.tests.items()
        },
        "gates": {engine: len(item.bands) for engine, item in baseline.gates.items()},
    }


def describe_suite(suite_path: Path, *, store: ResultStore) -> dict[str, Any]:
    """Return what a suite would run: its tests, and how many of their results are known."""
    suite = read_suite(suite_path)
    plan = plan_suite(suite, today=today())
    path = baseline_path(suite_path)
    return {
        "suite": suite.name,
        "pack": {"name": plan.pack_name, "digest": plan.pack_digest},
        "tests": {
            test.test: {
                "cousins": list(test.cousins),
                "episodes": len(test.pairs),
                "stored": len(store.get_many(test.keys.values())),
            }
            for test in plan.tests
        },
        "baseline": describe_baseline(read_baseline(path)) if path.exists() else None,
    }


def repeat_episode(suite_path: Path, text: str) -> dict[str, Any]:
    """Run one episode, named TEST:COUSIN:START, and return its outcome beside the baseline's."""
    suite = read_suite(suite_path)
    plan = plan_suite(suite)
    test, pair = _episode_of(plan, text)
    with SimulatorProcess(engine=test.engine) as process:
        _, outcome = next(iter(simulated(process, test, [pair], Budget(left_s=float("inf")))))
    path = baseline_path(suite_path)
    before = read_baseline(path).tests[test.test].outcomes.get(pair) if path.exists() else None
    return {
        "episode": text,
        "now": outcome_record(outcome),
        "baseline": None if before is None else outcome_record(before),
        "same_states": before is not None and before.states == outcome.states,
    }


def _episode_of(plan: SuitePlan, text: str) -> tuple[Any, tuple[int, int]]:
    tests = {test.test: test for test in plan.tests}
    name, _, numbers = text.partition(":")
    parts = numbers.split(":")
    is_complete = name in tests and len(parts) == 2 and all(part.isdigit() for part in parts)
    if not is_complete or int(parts[0]) not in tests[name].cousins:
        raise InputError(
            f"episode {text!r}",
            expected="TEST:COUSIN:START, TEST one of " + ", ".join(tests),
            hint="A report prints the line to type for each lost episode.",
        )
    return tests[name], (int(parts[0]), int(parts[1]))


def _context(plan: SuitePlan, done: SuiteRun, baseline: Baseline | None, source: Path) -> Mapping[str, Any]:
    suite: Suite = plan.suite
    return {
        "suite": suite.name,
        "suite_digest": suite.digest,
        "pack": {"name": plan.pack_name, "digest": plan.pack_digest},
        "policy": asdict(suite.policy),
        "policy_digest": plan.tests[0].provenance.policy,
        "engines": {engine: engine_version(engine) for engine in suite.engines},
        "cpu": cpu_digest(),
        "code": code_digest(),
        "alpha": suite.alpha,
        "baseline": os.fspath(source) if baseline is not None else "",
        "baseline_digest": "" if baseline is None else baseline.digest,
        "cpu_s": round(done.cpu_s, 3),
        "notes": list(done.notes),
    }
