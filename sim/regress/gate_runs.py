"""Gate values of a suite's cousins, measured in a child process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cousins.errors import EngineError
from cousins.regress.bands import learned_bands
from cousins.regress.baselines import GateBaseline
from cousins.regress.result_keys import Provenance
from sim.regress.child_process import SimulatorProcess
from sim.regress.suite_plans import SuitePlan, TestPlan


@dataclass(frozen=True, kw_only=True)
class GateMeasurements:
    """Gate values of cousins in one engine."""

    values: Mapping[int, Mapping[str, float]]
    """Values by cousin and by name of the gate."""
    faults: Mapping[int, str]
    """Faults by cousin, in the engine's words; cousin -1 stands for the process."""


def gated_cousins(plan: SuitePlan, engine: str) -> dict[int, str]:
    """Return the digests of all cousins that an engine's tests show, by number."""
    digests: dict[int, str] = {}
    for test in plan.tests:
        if test.engine == engine:
            digests |= test.cousin_digests
    return dict(sorted(digests.items()))


def measure_gates(plan: SuitePlan, engine: str, cousins: Sequence[int]) -> GateMeasurements:
    """Return the gate values of some cousins in an engine."""
    values: dict[int, Mapping[str, float]] = {}
    faults: dict[int, str] = {}
    try:
        with SimulatorProcess(engine=engine) as process:
            for reply in process.ask(_request(plan, engine, [(cousin, None) for cousin in cousins])):
                if reply["gates"]["fault"]:
                    faults[reply["cousin"]] = reply["gates"]["fault"]
                else:
                    values[reply["cousin"]] = reply["gates"]["values"]
    except EngineError as error:
        faults[-1] = str(error)
    return GateMeasurements(values=values, faults=faults)


def learned_gates(plan: SuitePlan, engine: str) -> GateBaseline:
    """Return the bands of the gate values of the first cousins, from shaken runs; raises `EngineError`."""
    golden = plan.suite.golden
    digests = dict(list(gated_cousins(plan, engine).items())[: golden.count])
    runs: dict[int, list[Mapping[str, float]]] = {cousin: [] for cousin in digests}
    shakes = [(cousin, shake) for cousin in digests for shake in range(golden.shaken_runs)]
    with SimulatorProcess(engine=engine) as process:
        for reply in process.ask(_request(plan, engine, shakes)):
            if reply["gates"]["fault"]:
                raise EngineError(f"cousin {reply['cousin']}: {reply['gates']['fault']}", engine=engine)
            runs[reply["cousin"]].append(reply["gates"]["values"])
    return GateBaseline(
        provenance=gate_provenance(plan, engine),
        cousins=digests,
        bands={cousin: learned_bands(values) for cousin, values in runs.items()},
    )


def gate_provenance(plan: SuitePlan, engine: str) -> Provenance:
    """Return what gate values in an engine follow from."""
    return replace(_test_in(plan, engine).provenance, task="", policy="", seed=0)


def _test_in(plan: SuitePlan, engine: str) -> TestPlan:
    return next(test for test in plan.tests if test.engine == engine)


def _request(plan: SuitePlan, engine: str, gates: Sequence[tuple[int, int | None]]) -> dict[str, object]:
    return {"pack": _test_in(plan, engine).pack, "engine": engine, "gates": [list(item) for item in gates]}
