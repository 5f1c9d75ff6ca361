"""Units of foreign files, and doubts about sizes that no thing has."""

from __future__ import annotations

from typing import Final, Literal, get_args

LengthUnit = Literal["mm", "cm", "m", "in"]
UNITS: Final[tuple[LengthUnit, ...]] = get_args(LengthUnit)
METRES_PER_UNIT: Final[dict[LengthUnit, float]] = {"mm": 0.001, "cm": 0.01, "m": 1.0, "in": 0.0254}
"""Length of each unit [m]."""
SIZE_RANGE_M: Final = (0.005, 20.0)
"""Least and greatest longest side that is accepted [m]."""
BELIEVABLE_SIZE_M: Final = (0.01, 3.0)
"""Least and greatest longest side that passes without doubt [m]: from a nut to a wardrobe."""
BELIEVABLE_MASS_KG: Final = 300.0
"""Greatest mass that passes without doubt [kg]."""


def size_advice(longest_m: float, unit: LengthUnit | None) -> str:
    """Return the units in which the numbers of a file give a believable size; `unit` is the one they were read in."""
    number = longest_m / METRES_PER_UNIT[unit or "m"]
    low, high = BELIEVABLE_SIZE_M
    choices = [
        f"--unit {other} makes it {format_length(number * METRES_PER_UNIT[other])}"
        for other in UNITS
        if other != (unit or "m") and low <= number * METRES_PER_UNIT[other] <= high
    ]
    return ", ".join(choices)


def size_doubts(longest_m: float, mass_kg: float, *, unit: LengthUnit | None) -> tuple[str, ...]:
    """Return doubts about the longest side and the mass of a thing, as sentences; none where both are believable."""
    low, high = BELIEVABLE_SIZE_M
    if low <= longest_m <= high and mass_kg <= BELIEVABLE_MASS_KG:
        return ()
    read_as = "its numbers were taken for metres" if unit is None else f"its numbers were read in {unit}"
    advice = size_advice(longest_m, unit)
    return (
        f"{format_length(longest_m)} long and {mass_kg:.3g} kg heavy is doubtful: {read_as}"
        + (f"; {advice}" if advice else ""),
    )


def format_length(length_m: float) -> str:
    """Return a length with the unit that suits it."""
    if length_m < 0.1:
        return f"{1000.0 * length_m:.3g} mm"
    return f"{100.0 * length_m:.3g} cm" if length_m < 1.0 else f"{length_m:.3g} m"
