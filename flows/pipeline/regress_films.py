"""Films for the pages of a suite: lost episodes as they go now, and the minimal case beside what still passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cousins.errors import EngineError
from cousins.pack.records.cousin_records import cousin_record
from cousins.regress.suites import read_suite
from cousins.vary.cousins import Cousin
from sim.regress.causes import Cause
from sim.regress.child_process import SimulatorProcess
from sim.regress.suite_plans import TestPlan, plan_suite


def films_of_losses(suite_path: Path, result: Mapping[str, Any], *, count: int) -> list[dict[str, Any]]:
    """Return a film of the first lost episode of each of the worst cousins of a run, with captions.

    What the baseline did cannot be filmed again, since code, policy or cousin have changed: the caption says it. A
    world that breaks while it is filmed is left out.
    """
    films: list[dict[str, Any]] = []
    if not result["losses"] or not count:
        return films
    plans = {plan.test: plan for plan in plan_suite(read_suite(suite_path)).tests}
    for row in [row for row in result["cousins"] if row["losses"]][:count]:
        lost = [item for item in result["losses"] if (item["test"], item["cousin"]) == (row["test"], row["cousin"])]
        if lost:
            name = f"{row['test']}, cousin {row['cousin']}, start {lost[0]['start']}"
            words = lost[0]["fault"] or lost[0]["failure"]
            caption = f"{name}: now {words}; the baseline succeeded"
            plan = plans[row["test"]]
            films += _films(plan, plan.request([]), row["cousin"], lost[0]["start"], caption)
    return films


def films_of_cause(plan: TestPlan, cause: Cause) -> list[dict[str, Any]]:
    """Return two films of one start: the nearest hybrid that passes, and the minimal case that fails.

    Where no start shows the difference, the first one is films_of_start.
    """
    films_of_start: list[dict[str, Any]] = []
    for start in cause.starts:
        before = [] if cause.passing is None else _hybrid_film(plan, cause.passing, start, "before: passes")
        after = _hybrid_film(plan, cause.hybrid, start, "after: the minimal case fails")
        films = before + after
        if not films_of_start or [film["success"] for film in films] == [True, False]:
            films_of_start = films
        if [film["success"] for film in films_of_start] == [True, False] or cause.passing is None:
            break
    return films_of_start


def _hybrid_film(plan: TestPlan, hybrid: Cousin, start: int, words: str) -> list[dict[str, Any]]:
    request = plan.request([]) | {
        "cousins": [hybrid.index],
        "cousin_records": [cousin_record(hybrid)],
        "variants_of": [0, hybrid.index],
    }
    return _films(plan, request, hybrid.index, start, f"cousin {hybrid.index}, start {start}, {words}")


def _films(plan: TestPlan, request: Mapping[str, Any], cousin: int, start: int, caption: str) -> list[dict[str, Any]]:
    """Return the film of an episode in a list, which is empty where the world breaks."""
    with SimulatorProcess(engine=plan.engine) as process:
        try:
            films = [reply["film"] for reply in process.ask({**request, "films": [[cousin, start]]})]
        except EngineError:
            return []
    return [film | {"caption": caption} for film in films if film["webp"]]
