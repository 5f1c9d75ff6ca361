"""Preserving jars: a hollow of glass under a lid that hangs on a wire hinge at the back."""

from __future__ import annotations

from dataclasses import dataclass

from cousins.families.assembly import Assembly, AssemblyBody, AssemblyJoint, PartMaterial
from cousins.families.family import Parameters, ParametricFamily, Range, ranges_of, span
from cousins.families.parts import block, cylinder, revolve, revolve_shell


@dataclass(frozen=True, kw_only=True)
class Config:
    """Clip-top jars of 0.25 to 3 l, as sold."""

    diameter_m: Range = span(0.08, 0.15)
    """Diameter of the body without hinge and clip, x and y [m]."""
    height_m: Range = span(0.09, 0.26)
    """Height with the knob of the lid, z [m]."""
    wall_m: Range = span(0.003, 0.005)
    """Thickness of the glass [m]."""
    lid_m: Range = span(0.008, 0.014)
    """Thickness of the lid [m]."""
    knob_m: Range = span(0.016, 0.024)
    """Height of the knob [m]."""
    opening_rad: Range = span(1.7, 2.0)
    """Largest opening angle of the lid [rad]."""


def build(config: Config) -> ParametricFamily:
    """Return the family."""
    sizes = ("diameter_m", "diameter_m", "height_m")
    return ParametricFamily(
        name="jar_with_lid",
        label="jar",
        ranges=ranges_of(config),
        extents=sizes,
        assemble=_assemble,
        is_valid=lambda v: 0.9 <= v["height_m"] / v["diameter_m"] <= 2.1,
    )


def _assemble(v: Parameters) -> Assembly:
    radius, wall, lid, knob = v["diameter_m"] / 2, v["wall_m"], v["lid_m"], v["knob_m"]
    rim = v["height_m"] - lid - knob - 0.001
    inside = (radius - wall, 2.0 * wall)
    glass = revolve_shell(
        [(radius - 0.004, 0.0), (radius, 0.006), (radius, rim)], [inside, inside, (radius - wall, rim)], floor=2
    )
    cover = revolve(
        [(radius - 0.001, rim + 0.001), (radius - 0.001, rim + lid), (radius - 0.006, rim + lid + 0.001)],
        convex=True,
        material_index=1,
    )
    grip = cylinder(0.011, rim + lid, rim + lid + knob + 0.001, material_index=1)
    tongue = block((0.02, 0.006, 0.003), (0.0, radius - 0.003, rim + 0.0025), material_index=1)
    joint = AssemblyJoint(
        name="lid_hinge",
        kind="revolute",
        child="lid",
        origin_m=(0.0, radius, rim + 0.001),
        axis=(-1.0, 0.0, 0.0),
        upper=v["opening_rad"],
        damping=0.002,
        friction=0.005,
    )
    return Assembly(
        bodies=(AssemblyBody(name="body", parts=[glass]), AssemblyBody(name="lid", parts=[cover, grip, tongue])),
        materials=(PartMaterial(material="glass", finish="glass"), PartMaterial(material="metal", finish="metal")),
        joints=(joint,),
    )
