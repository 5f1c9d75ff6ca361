"""Bins: a round hollow under a lid that is hinged at the back."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, AssemblyJoint, PartMaterial
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block, revolve, revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """Bins of 3 to 50 l, as sold."""

    diameter_m: Range = span(0.16, 0.42)
    """Diameter of lid and rim, x [m]."""
    width_m: Range = span(0.18, 0.45)
    """Width with the lip of the lid, y [m]."""
    height_m: Range = span(0.22, 0.75)
    """Extent along z [m]."""
    foot_share: Range = span(0.75, 0.98)
    """Diameter of the bottom over that of the rim."""
    wall_m: Range = span(0.003, 0.006)
    """Thickness of the wall [m]."""
    lid_m: Range = span(0.012, 0.03)
    """Height of the lid [m]."""
    opening_rad: Range = span(1.3, 1.9)
    """Largest opening angle of the lid [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "width_m", "height_m")
    return ParametricFamily(
        name="bin_with_lid",
        label="bin",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: (
            1.1 <= v["height_m"] / v["diameter_m"] <= 2.0 and 0.012 <= v["width_m"] - v["diameter_m"] <= 0.05
        ),
    )


def _assemble(v: Parameters) -> Assembly:
    lip, knob = v["width_m"] - v["diameter_m"], 0.03
    middle = v["diameter_m"] / 2
    wall, rim = v["wall_m"], v["height_m"] - v["lid_m"] - knob - 0.002
    foot = middle * v["foot_share"]
    inside = foot + (middle - foot) * 2.0 * wall / rim - wall
    vessel = revolve_shell([(foot, 0.0), (middle, rim)], [(inside, 2.0 * wall), (middle - wall, rim)], sides=16)
    low = rim + 0.002
    cover = revolve(
        [(middle, low), (middle, low + 0.4 * v["lid_m"]), (0.6 * middle, low + v["lid_m"])],
        convex=True,
        material_index=1,
    )
    grip = block(
        (0.09, 0.014, knob + 0.004), (0.0, -0.35 * middle, low + v["lid_m"] + knob / 2 - 0.002), material_index=1
    )
    nose = block((0.08, 2.0 * lip, 0.3 * v["lid_m"]), (0.0, -middle, low + 0.2 * v["lid_m"]), material_index=1)
    joint = AssemblyJoint(
        name="lid_hinge",
        kind="revolute",
        child="lid",
        origin_m=(0.0, middle, low),
        axis=(-1.0, 0.0, 0.0),
        upper=v["opening_rad"],
        damping=0.01,
        friction=0.01,
    )
    return Assembly(
        bodies=(AssemblyBody(name="body", parts=[vessel]), AssemblyBody(name="lid", parts=[cover, grip, nose])),
        materials=(
            PartMaterial(material="plastic", finish="plastic"),
            PartMaterial(material="plastic", finish="plastic"),
        ),
        joints=(joint,),
    )
