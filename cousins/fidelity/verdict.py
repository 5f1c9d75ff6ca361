"""Verdict on a twin from its fidelity: good, usable with something to look at, or poor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["good", "usable", "poor"]
"""`good`; `usable` with something to look at; `poor`: scan again."""


@dataclass(frozen=True, kw_only=True)
class VerdictConfig:
    """Limits of the verdict, each a share of supported pixels unless said otherwise."""

    good_explained: float = 0.9
    """Least share explained of a good twin."""
    good_phantom: float = 0.015
    """Largest share phantom of a good twin."""
    good_remainder: float = 0.35
    """Largest share of the explained pixels that the remainder explains in a good twin."""
    good_fixed: float = 0.05
    """Largest share of the objects that were fixed in place in a good twin."""
    good_below_plain: float = 0.02
    """How much less than plain fusion of the same frames a good twin may explain."""
    poor_explained: float = 0.75
    """A twin that explains less is poor."""
    poor_phantom: float = 0.05
    """A twin with more phantom surface is poor."""


def give_verdict(
    *,
    explained: float,
    phantom: float,
    remainder: float,
    plain_explained: float | None,
    fixed_objects: int,
    objects: int,
    limits: VerdictConfig,
) -> tuple[Verdict, str]:
    """Return the verdict and what to look at, or how to scan again; the arguments are fields of `Fidelity`."""
    if explained < limits.poor_explained:
        return "poor", (
            "Much of what was seen is not in the twin. Scan again from 0.5 to 2 m, slowly, all around, and keep what "
            "the things stand on in view."
        )
    if phantom > limits.poor_phantom:
        return "poor", (
            "Surface stands where the phone saw free space. Scan again in good light, return to where you began, and "
            "leave mirrors and glass out."
        )
    remarks = []
    if explained < limits.good_explained:
        remarks.append(f"{1.0 - explained - phantom:.0%} of what was seen is missing")
    if plain_explained is not None and explained < plain_explained - limits.good_below_plain:
        remarks.append(f"plain fusion of the same frames explains {plain_explained:.0%}")
    if phantom > limits.good_phantom:
        remarks.append(f"{phantom:.1%} stands where the phone saw free space")
    if remainder > limits.good_remainder:
        remarks.append(f"{remainder:.0%} is surface that was not understood and cannot move")
    if fixed_objects > limits.good_fixed * objects:
        remarks.append(f"{fixed_objects} of {objects} objects do not stand and were fixed in place")
    if objects == fixed_objects:
        remarks.append("nothing in it can move")
    return ("usable", f"Look at this: {'; '.join(remarks)}.") if remarks else ("good", "")
