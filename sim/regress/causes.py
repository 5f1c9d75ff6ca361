"""Which axis, object and amount of a cousin break a policy: probes of hybrids in a simulating process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cousins.errors import InputError
from cousins.pack.packs import Pack
from cousins.pack.records.cousin_records import cousin_record, rounded_cousin
from cousins.regress.hybrids import GRADUAL_AXES, Difference, blend, changes_of, differences
from cousins.regress.minimising import delta_debug, smallest_amount
from cousins.regress.outcomes import read_outcome
from cousins.vary.cousins import AXES, Cousin, Library
from sim.regress.child_process import SimulatorProcess
from sim.regress.suite_plans import TestPlan

PROBE_STARTS: Final = 5
"""Starts of a probe."""
NEEDED_FAILURES: Final = 4
"""Failed starts from which a probe counts as failing."""
GATES: Final[Mapping[str, float]] = {
    "max_penetration_mm": 1.0,
    "max_settle_mm": 5.0,
    "max_drift_mm": 5.0,
    "max_drift_deg": 3.0,
    "escaped": 0.0,
}
"""Largest gate values of a hybrid that is simulated; those of `sim.validation.gates`."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why a policy fails in a cousin."""

    cousin: int
    """Number of the cousin."""
    parts: tuple[Difference, ...]
    """Differences from the twin that suffice, none of which can be left out; none where the twin fails too."""
    amount: float
    """Share of the gradual differences from which it fails."""
    by_axis: Mapping[str, str]
    """What the twin with one axis of the cousin does: `fails`, `succeeds` or the gate that it does not pass."""
    changes: tuple[Mapping[str, Any], ...]
    """Parameters in which the minimal hybrid differs from the twin."""
    starts: tuple[int, ...]
    """Starts of the probes."""
    probes: int
    """Hybrids that were tried."""
    refused: int
    """Hybrids that did not pass the gates and were not tried."""
    hybrid: Cousin
    """The minimal hybrid."""
    passing: Cousin | None
    """The hybrid nearest to it that does not fail: less of the same differences, or none. None where the twin fails."""
    differences: int
    """Differences between the cousin and the twin, of which `parts` are left."""
    cpu_s: float
    """CPU time of the search [s]."""


class Prober:
    """Tries hybrids of one cousin; a context that ends its process."""

    def __init__(self, plan: TestPlan, pack: Pack, cousin: int, starts: Sequence[int]) -> None:
        self.plan, self.starts = plan, tuple(starts)
        self.twin, self.cousin = pack.cousin(0), pack.cousin(cousin)
        variants = {**pack.variants(0), **pack.variants(cousin)}
        self.library = Library(scene=pack.surroundings, variants=variants)
        self.process = SimulatorProcess(engine=plan.engine)
        self.refusals: dict[tuple[tuple[Difference, ...], float], str] = {}
        self._failed: dict[tuple[tuple[Difference, ...], float], bool] = {}

    @property
    def probes(self) -> int:
        """Hybrids that were tried."""
        return len(self._failed) - len(self.refusals)

    def hybrid(self, parts: Sequence[Difference], amount: float = 1.0) -> Cousin:
        """Return the twin with some differences, rounded as packs store it."""
        return rounded_cousin(blend(self.twin, self.cousin, parts, self.library, amount=amount))

    def fails(self, parts: Sequence[Difference], amount: float = 1.0) -> bool:
        """Return whether the policy fails in a hybrid; one that does not pass the gates does not count."""
        key = (tuple(sorted(parts)), amount)
        if key not in self._failed:
            request = self._request(self.hybrid(parts, amount))
            refusal, failures = self._refusal(request) if parts else "", 0
            if not refusal:
                try:
                    failures = self._count_failures(request)
                except InputError as error:
                    refusal = error.found
            if refusal:
                self.refusals[key] = refusal
            self._failed[key] = failures >= self.needed
        return self._failed[key]

    def nearest_passing(self, parts: Sequence[Difference], amount: float) -> Cousin | None:
        """Return the hybrid with the largest amount below `amount` that did not fail, else with no difference."""
        tried = [share for (key, share), fails in self._failed.items() if key == tuple(sorted(parts)) and not fails]
        allowed = [share for share in tried if share < amount and (tuple(sorted(parts)), share) not in self.refusals]
        if parts and allowed:
            return self.hybrid(parts, max(allowed))
        return None if self.fails([]) else self.hybrid([])

    @property
    def needed(self) -> int:
        """Failed starts from which a hybrid counts as failing."""
        return min(NEEDED_FAILURES, len(self.starts))

    def _count_failures(self, request: Mapping[str, Any]) -> int:
        episodes = [[self.cousin.index, start, None] for start in self.starts]
        replies = self.process.ask({**request, "episodes": episodes})
        outcomes = [read_outcome(reply["episode"], source="the simulating process") for reply in replies]
        return sum(not outcome.success for outcome in outcomes)

    def _refusal(self, request: Mapping[str, Any]) -> str:
        reply = next(iter(list(self.process.ask({**request, "gates": [[self.cousin.index, None]]}))))["gates"]
        if reply["fault"]:
            return str(reply["fault"])
        beyond = [name for name, limit in GATES.items() if not reply["values"][name] <= limit]
        return f"does not pass {beyond[0]}" if beyond else ""

    def _request(self, hybrid: Cousin) -> dict[str, Any]:
        return self.plan.request([]) | {
            "cousins": [hybrid.index],
            "cousin_records": [cousin_record(hybrid)],
            "variants_of": [0, hybrid.index],
        }


def find_cause(plan: TestPlan, pack: Pack, cousin: int, starts: Sequence[int]) -> Cause:
    """Return why a policy fails in a cousin at some of its starts.

    Raises `InputError` where it does not fail there, or the cousin's number is the twin's.
    """
    if cousin == 0:
        raise InputError(
            "the twin itself", expected="a cousin", hint="What fails in the twin has no axis: mend it there."
        )
    prober = Prober(plan, pack, cousin, starts[:PROBE_STARTS])
    with prober.process:
        every = differences(prober.twin, prober.cousin, prober.library)
        if not prober.fails(every):
            reasons = "".join(f" ({reason})" for reason in prober.refusals.values())
            raise InputError(
                f"cousin {cousin}: fewer than {prober.needed} of its starts {list(prober.starts)} fail{reasons}",
                expected="a cousin in which the policy fails again and again",
                hint="Name another one with --cousin; `cousins regress run` lists those with losses.",
            )
        if prober.fails([]):
            return _cause(prober, (), 1.0, {})
        by_axis = {axis: _one_axis(prober, every, axis) for axis in AXES if any(part.axis == axis for part in every)}
        failing_axes = [axis for axis, text in by_axis.items() if text == "fails"]
        candidates = [part for part in every if part.axis == failing_axes[0]] if failing_axes else every
        parts = tuple(delta_debug(candidates, prober.fails))
        amount = 1.0
        if any(part.axis in GRADUAL_AXES for part in parts):
            amount = smallest_amount(lambda share: prober.fails(parts, share))
        return _cause(prober, parts, amount, by_axis)


def _one_axis(prober: Prober, every: Sequence[Difference], axis: str) -> str:
    parts = [part for part in every if part.axis == axis]
    if prober.fails(parts):
        return "fails"
    return prober.refusals.get((tuple(sorted(parts)), 1.0), "succeeds")


def _cause(prober: Prober, parts: tuple[Difference, ...], amount: float, by_axis: Mapping[str, str]) -> Cause:
    hybrid = prober.hybrid(parts, amount)
    return Cause(
        cousin=prober.cousin.index,
        parts=parts,
        amount=amount,
        by_axis=by_axis,
        changes=tuple(changes_of(rounded_cousin(prober.twin), hybrid)),
        starts=prober.starts,
        probes=prober.probes,
        refused=len(prober.refusals),
        hybrid=hybrid,
        passing=prober.nearest_passing(parts, amount),
        differences=len(differences(prober.twin, prober.cousin, prober.library)),
        cpu_s=prober.process.cpu_s,
    )
