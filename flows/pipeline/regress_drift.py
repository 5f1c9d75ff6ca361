"""What `cousins regress drift` does: install versions of engines, run a suite in each, and compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

from cousins.regress.result_store import ResultStore
from cousins.regress.suites import read_suite
from sim.regress.drift import EngineRun, agreements, run_engine
from sim.regress.engine_versions import installed, parsed_engines
from sim.regress.episode_series import ProgressCallback
from sim.regress.provenance import cpu_digest
from sim.regress.suite_plans import plan_suite

FORMAT: Final = "cousins regress drift 1"
"""Value of `format` in `drift.json`."""


def compare_engines(
    suite_path: Path, *, engines: Sequence[str], store: ResultStore, on_progress: ProgressCallback | None = None
) -> dict[str, Any]:
    """Return a suite's results in several engines as JSON values, and which of them agree.

    The engines of the suite are not used: `engines` are texts such as `mujoco=3.14.0,3.17.0`.
    """
    versions = parsed_engines(engines)
    suite = read_suite(suite_path)
    plan = plan_suite(replace(suite, engines=(suite.engines[0],)))
    runs = [run_engine(plan, installed(engine), store=store, on_progress=on_progress) for engine in versions]
    return {
        "format": FORMAT,
        "suite": suite.name,
        "pack": {"name": plan.pack_name, "digest": plan.pack_digest},
        "cpu": cpu_digest(),
        "alpha": suite.alpha,
        "episodes": suite.episodes,
        "engines": [_row(run) for run in runs],
        "agreements": [asdict(item) for item in agreements(runs, alpha=suite.alpha)],
    }


def _row(run: EngineRun) -> dict[str, Any]:
    return {
        "engine": str(run.engine),
        "success": {
            task: {"k": sum(item.success for item in outcomes.values()), "n": len(outcomes)}
            for task, outcomes in run.outcomes.items()
        },
        "settle_mm": _spread(run.gates, "max_settle_mm"),
        "drift_mm": _spread(run.gates, "max_drift_mm"),
        "penetration_mm": _spread(run.gates, "max_penetration_mm"),
        "joint_error": {"worst": max(run.joint_errors, default=None), "n": len(run.joint_errors)},
        "grasps": {"k": sum(run.grasps), "n": len(run.grasps)},
        "faults": list(run.faults),
        "cpu_s": round(run.cpu_s, 2),
    }


def _spread(gates: Mapping[int, Mapping[str, float]], name: str) -> dict[str, float | None]:
    values = [item[name] for item in gates.values()]
    return {"median": median(values), "largest": max(values)} if values else {"median": None, "largest": None}
