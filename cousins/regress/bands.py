"""Bands of numbers that may differ a little between machines: learned from shaken runs, never typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cousins.errors import InputError
from cousins.regress.outcomes import EpisodeOutcome
from cousins.regress.suites import MIN_SHAKEN_RUNS

SHAKE_M: Final = 1e-9
"""Standard deviation by which starts are moved in shaken runs [m]."""
MARGIN_OF_RANGE: Final = 1.0
"""Width that is added on each side of the smallest and largest shaken value, in units of their difference. For twenty
normal values that reaches 5.6 standard deviations from the mean."""
ROUNDING: Final = 1e-9
"""Smallest half width of a band, relative to the value (absolute below 1): results are compared after rounding."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """Interval in which a number must lie."""

    low: float
    """Smallest value."""
    high: float
    """Largest value."""

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def learned_band(values: Sequence[float]) -> Band:
    """Return the band of at least `MIN_SHAKEN_RUNS` values of one number."""
    if len(values) < MIN_SHAKEN_RUNS:
        raise InputError(
            f"{len(values)} runs to learn a band from",
            expected=f"at least {MIN_SHAKEN_RUNS}",
            hint="Bands are learned, not typed: give more shaken runs.",
        )
    low, high = min(values), max(values)
    margin = MARGIN_OF_RANGE * (high - low) + ROUNDING * max(1.0, abs(low), abs(high))
    return Band(low=low - margin, high=high + margin)


def learned_bands(runs: Sequence[Mapping[str, float]]) -> dict[str, Band]:
    """Return the band of each number over some runs, by name; all runs must have the same names."""
    names = list(runs[0]) if runs else []
    if any(list(run) != names for run in runs):
        raise InputError(
            "shaken runs with different numbers", expected="the same in each", hint="Return the same names every time."
        )
    return {name: learned_band([run[name] for run in runs]) for name in names}


def outside(bands: Mapping[str, Band], values: Mapping[str, float]) -> list[str]:
    """Return a sentence for each number that lies outside of its band or is missing."""
    sentences = []
    for name, band in bands.items():
        if name not in values:
            sentences.append(f"{name} is missing")
        elif values[name] not in band:
            sentences.append(f"{name} = {values[name]:.9g}, band {band.low:.9g} to {band.high:.9g}")
    return sentences


def chaos(repeats: Sequence[EpisodeOutcome], shaken: Sequence[EpisodeOutcome]) -> str:
    """Return why an episode cannot be asserted on, empty where it can.

    `repeats` are runs of the same start in fresh processes, `shaken` runs with starts moved by `SHAKE_M`.
    """
    if len({outcome.states for outcome in repeats}) > 1:
        return "two runs in fresh processes differ"
    flips = sum(outcome.success != repeats[0].success for outcome in shaken)
    if flips:
        return f"the outcome flips in {flips} of {len(shaken)} runs with starts moved by {SHAKE_M:g} m"
    return ""
