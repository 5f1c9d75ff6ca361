"""What `cousins regress bisect` does: name the axis, object and amount that break a policy, and keep a minimal case."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cousins.errors import InputError, StageError
from cousins.pack.transfer.pull import open_pack
from cousins.regress.baselines import Baseline, baseline_path, read_baseline, require_comparable
from cousins.regress.changes import changes_since
from cousins.regress.minimal_cases import MinimalRun, read_minimal, write_minimal
from cousins.regress.outcomes import read_outcome
from cousins.regress.result_store import ResultStore
from cousins.regress.suite_results import cousin_rows
from cousins.regress.suites import PolicySpec, read_suite
from flows.pipeline.regress_films import films_of_cause
from sim.regress.causes import NEEDED_FAILURES, Cause, find_cause
from sim.regress.child_process import SimulatorProcess
from sim.regress.episode_series import ProgressCallback, evidence_without_verdict
from sim.regress.policies import policy_digest
from sim.regress.suite_plans import SuitePlan, TestPlan, plan_suite
from sim.regress.suite_runs import require_covered


def bisect(
    suite_path: Path,
    *,
    output: Path,
    store: ResultStore,
    against: Path | None = None,
    test: str | None = None,
    cousin: int | None = None,
    on_progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Return the cause of the worst losses against a baseline, and write the minimal case.

    Of a test the cousin with the most significant losses is taken, unless one is named. Raises `StageError` where
    nothing was lost.
    """
    plan = plan_suite(read_suite(suite_path))
    source = against or baseline_path(suite_path)
    baseline = read_baseline(source)
    require_comparable(baseline, plan.suite, pack_name=plan.pack_name, source=os.fspath(source))
    worst_test, number, starts, p_value = _worst(plan, baseline, store, test, cousin, on_progress)
    pack = open_pack(plan.suite.pack_reference)
    cause = find_cause(worst_test, pack, number, starts)
    changed = changes_since(
        baseline.tests[worst_test.test], provenance=worst_test.provenance, cousin_digests=worst_test.cousin_digests
    )
    size = write_minimal(
        output,
        cause.hybrid,
        pack,
        shown_by=(0, number),
        run=_minimal_run(worst_test, cause, output),
        cause=_cause_json(cause),
    )
    films = films_of_cause(worst_test, cause)
    return {
        "test": worst_test.test,
        "cousin": number,
        "p": p_value,
        **_cause_json(cause),
        "minimal": os.fspath(output),
        "bytes": size,
        "repeat": f"cousins regress run {os.fspath(output)}",
        "changed": list(changed),
        "films": films,
    }


def run_minimal(path: Path) -> dict[str, Any]:
    """Run the starts of a minimal case and return how many fail; `fails` is whether as many as when it was made."""
    case = read_minimal(path)
    fields = dict(case.run.policy)
    if PolicySpec(**fields).kind != "wire":
        fields["path"] = os.fspath((path.parent / fields["path"]).resolve())
    spec = PolicySpec(**fields)
    file = spec.path if spec.kind == "folder" else spec.file_and_function[0]
    if not Path(file).exists():
        raise InputError(
            f"no policy at {file!r}",
            expected="the policy that the minimal case names, relative to the file",
            hint="Move the file back beside it, or mend the checkout.",
        )
    number = case.cousin.index
    request = {
        "pack": os.fspath(path.resolve()),
        "policy": asdict(spec),
        "task": case.run.task,
        "engine": case.run.engine,
        "seed": case.run.seed,
        "cousins": [number],
        "episodes": [[number, start, None] for start in case.run.starts],
    }
    with SimulatorProcess(engine=case.run.engine) as process:
        outcomes = [read_outcome(reply["episode"], source="the process") for reply in process.ask(request)]
    failures = sum(not outcome.success for outcome in outcomes)
    return {
        "minimal": os.fspath(path),
        "fails": failures >= case.run.needed_failures,
        "failures": failures,
        "starts": list(case.run.starts),
        "same_policy": policy_digest(spec) == case.run.policy_digest,
        "cause": dict(case.cause),
    }


def _worst(
    plan: SuitePlan,
    baseline: Baseline,
    store: ResultStore,
    test: str | None,
    cousin: int | None,
    on_progress: ProgressCallback | None,
) -> tuple[TestPlan, int, list[int], float]:
    """Return the test, cousin and starts with the most significant losses, and their p-value."""
    tests = [item for item in plan.tests if test in (None, item.test)]
    if not tests:
        names = ", ".join(item.test for item in plan.tests)
        raise InputError(f"no test {test!r}", expected=f"one of {names}", hint="Mend --test.")
    worst: list[tuple[float, int, TestPlan, int, list[int]]] = []
    for order, item in enumerate(tests):
        before = require_covered(baseline, item)
        evidence = evidence_without_verdict(item, store, on_progress=on_progress)
        for row in cousin_rows(evidence, before.outcomes):
            lost = [
                pair[1]
                for pair, outcome in sorted(evidence.outcomes.items())
                if pair[0] == row.cousin and before.outcomes[pair].success and not outcome.success
            ]
            if lost and cousin in (None, row.cousin):
                worst.append((row.p, order, item, row.cousin, lost))
    if not worst:
        raise StageError("no episode was lost, so there is nothing to explain", stage="bisect")
    p_value, _, worst_test, number, starts = min(worst, key=lambda entry: (entry[0], -len(entry[4]), entry[1]))
    return worst_test, number, starts, p_value


def _minimal_run(plan: TestPlan, cause: Cause, output: Path) -> MinimalRun:
    policy = asdict(plan.policy)
    policy["path"] = os.path.relpath(plan.policy.path, output.resolve().parent)
    return MinimalRun(
        task=plan.task,
        engine=plan.engine,
        engine_version=plan.provenance.engine_version,
        policy=policy,
        policy_digest=plan.provenance.policy,
        seed=plan.provenance.seed,
        starts=cause.starts,
        needed_failures=min(NEEDED_FAILURES, len(cause.starts)),
    )


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {
        "parts": [asdict(part) for part in cause.parts],
        "amount": cause.amount,
        "by_axis": dict(cause.by_axis),
        "changes": [dict(change) for change in cause.changes],
        "starts": list(cause.starts),
        "probes": cause.probes,
        "refused": cause.refused,
    }
