"""Selection by content in a pack of 1,000 cousins, and the cost of the suite that a pull request runs."""

from __future__ import annotations

import datetime
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cousins.affordances import measure_affordances
from cousins.pack.writer import write_pack
from cousins.regress.plans import audited_pairs
from cousins.regress.result_store import ResultStore
from cousins.regress.suites import GoldenSpec, Suite, read_suite
from cousins.vary.cousins import Cousin, Library
from sim.regress.acceptance import accept_suite
from sim.regress.suite_plans import plan_suite
from sim.regress.suite_runs import run_suite
from tests.cousins.scene.scenes_for_tests import box_asset
from tests.sim.regress.suites_for_tests import META, boxes_cousin, boxes_library, write_suite

ROOT: Final = Path(__file__).resolve().parents[2]
TODAY: Final = datetime.date(2026, 12, 1)
RARE: Final = "box-shape-01"
"""Variant that every hundredth cousin shows, and that changes."""
OWN_SUITE: Final = ROOT / "benchmarks/regression/own_suite/push.toml"


def selection(scratch: Path, *, cousins: int) -> dict[str, Any]:
    """Change one asset of a pack; return what is run, and whether verdict and outcomes are those of a full run."""
    before, after = scratch / "before", scratch / "after"
    _write(before, cousins, length_m=0.07)
    _write(after, cousins, length_m=0.075)
    accepted = accept_suite(plan_suite(_suite(before, cousins)), store=ResultStore(scratch / "store")).baseline
    plan = plan_suite(_suite(after, cousins))
    accepted_test = accepted.tests["push-mujoco"]
    changed = {pair for pair, key in plan.tests[0].portable_keys.items() if accepted_test.portable_keys[pair] != key}
    by_parts = run_suite(plan, baseline=accepted, store=ResultStore(scratch / "store"), today=TODAY)
    verdict, evidence = by_parts.verdicts[0], by_parts.evidence["push-mujoco"]
    fresh = set(evidence.outcomes) - set(evidence.reused)
    full = run_suite(plan, baseline=None, store=ResultStore(scratch / "full"), today=TODAY).evidence["push-mujoco"]
    tenth = audited_pairs(evidence.reused, run_key=f"{plan.run_key(accepted.digest)}/push-mujoco")
    losses = sum(accepted_test.outcomes[pair].success and not item.success for pair, item in full.outcomes.items())
    gains = sum(item.success and not accepted_test.outcomes[pair].success for pair, item in full.outcomes.items())
    return {
        "selection_cousins": cousins,
        "selection_changed": len(changed),
        "selection_fresh": len(fresh),
        "selection_only_changed": fresh == changed,
        "selection_audited": len(evidence.audits),
        "selection_tenth": len(tenth),
        "selection_state": verdict.state,
        "selection_equal": (verdict.counts.losses, verdict.counts.gains) == (losses, gains)
        and all(full.outcomes[pair].states == item.states for pair, item in evidence.outcomes.items()),
    }


def pull_request(scratch: Path, *, pack: Path) -> dict[str, Any]:
    """Return the CPU time of `cousins regress run` for 120 pushes of which none is known, all processes and imports."""
    text = OWN_SUITE.read_text().replace("../../../out/regress/pack", str(pack))
    text = text.replace("../../../examples", str(ROOT / "examples"))
    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / "push.toml"
    path.write_text(text)
    words = [sys.executable, "-m", "flows.cli", "regress", "run", str(path), "--json", "--store"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    used = {}
    for name, extra in (("all", ""), ("no_goldens", "golden")):
        if extra:
            path.write_text(text.replace("count = 2", "count = 0").split("[gates]")[0])
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*words, str(scratch / name)], env=environment, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert len(ResultStore(scratch / name).keys()) == 120, "all episodes were run"
    return {"pull_request_cpu_s": used["no_goldens"], "pull_request_with_goldens_and_gates_cpu_s": used["all"]}


def _write(folder: Path, count: int, *, length_m: float) -> None:
    folder.mkdir(parents=True)
    library = boxes_library()
    rare = box_asset(RARE, (length_m, 0.06, 0.06))
    model = library.variants["box-shape-00"]
    variant = replace(model, key=RARE, asset=rare, signature=measure_affordances(rare))
    library = Library(scene=library.scene, variants={**library.variants, RARE: variant})
    write_pack(
        folder / "pack",
        library,
        [_cousin(library, index) for index in range(1, count + 1)],
        meta=META,
        rejections={},
    )
    write_suite(folder, episodes=count)


def _cousin(library: Library, index: int) -> Cousin:
    cousin = replace(boxes_cousin(library, index % 7), index=index, spawn_key=(index,))
    if index % 100 != 1:
        return cousin
    return replace(cousin, objects=(replace(cousin.objects[0], variant=RARE),))


def _suite(folder: Path, count: int) -> Suite:
    suite = read_suite(folder / "suite.toml")
    return replace(
        suite, golden=GoldenSpec(count=0), cousins=replace(suite.cousins, count=count), budget_cpu_s=float("inf")
    )
