"""The recipe: ranges of variation on every axis, as one frozen value that is read from and written to TOML."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cousins.errors import InputError
from cousins.vary.cousins import AXES
from cousins.vary.distributions import (
    Constant,
    Distribution,
    LogUniform,
    Uniform,
    distribution_toml,
    parse_distribution,
)
from cousins.vary.recipe_limits import require_limits

MAX_RECIPE_BYTES: Final = 1 << 20
"""Largest recipe file that is read [bytes]."""


@dataclass(frozen=True, kw_only=True)
class LayoutRange:
    """Where things stand, under the relations of the twin."""

    shift_m: Distribution = Uniform(low=0.0, high=0.35)
    """How far an object, or a group that stands together, moves on its support [m]."""
    yaw_rad: Distribution = Uniform(low=-3.1416, high=3.1416)
    """How far it turns about z [rad]."""
    jitter_m: Distribution = Uniform(low=-0.02, high=0.02)
    """How far a member of a group, or what stands on or in another, moves against the rest [m]."""


@dataclass(frozen=True, kw_only=True)
class ClutterRange:
    """Things that the twin has not, and things of the twin that are gone."""

    add: Distribution = Uniform(low=0.0, high=3.0)
    """Number of things added."""
    remove: Distribution = Uniform(low=0.0, high=2.0)
    """Number of free things removed; never the last of its affordance, never what carries another."""


@dataclass(frozen=True, kw_only=True)
class ShapeRange:
    """Bending of an object's own shape, inside what it affords."""

    variants: Distribution = Constant(value=8)
    """Number of shapes made of each object."""
    stretch: Distribution = LogUniform(low=0.75, high=1.3)
    """Factor on each of the three extents."""
    taper: Distribution = Uniform(low=-0.25, high=0.25)
    """How much wider the top becomes than the bottom, as a share."""
    twist_rad: Distribution = Uniform(low=-0.5, high=0.5)
    """How far the top turns against the bottom [rad]."""
    bend: Distribution = Uniform(low=-0.12, high=0.12)
    """How far the middle leaves the line from bottom to top, as a share of the height."""


@dataclass(frozen=True, kw_only=True)
class SwapRange:
    """Other assets in an object's place, matched by what it affords, size and shape."""

    families: Distribution = Constant(value=6)
    """Number of instances of parametric families for each object."""
    library: Distribution = Constant(value=4)
    """Number of assets of the user's library for each object."""
    size_ratio: Distribution = LogUniform(low=0.7, high=1.4)
    """Each extent of a swapped asset over the object's; others do not match."""


@dataclass(frozen=True, kw_only=True)
class JointRange:
    """Joints of articulated objects."""

    limits: Distribution = Uniform(low=0.75, high=1.0)
    """Factor on the range of motion."""
    damping: Distribution = LogUniform(low=0.4, high=2.5)
    """Factor on viscous damping."""
    friction: Distribution = LogUniform(low=0.4, high=2.5)
    """Factor on dry friction."""


@dataclass(frozen=True, kw_only=True)
class DynamicsRange:
    """Physical numbers; intervals are those that the twin recorded, and 0 and 1 are their ends."""

    mass: Distribution = Uniform(low=0.0, high=1.0)
    """Place in the interval of the mass."""
    friction: Distribution = Uniform(low=0.0, high=1.0)
    """Place in the interval of the friction coefficient."""
    restitution: Distribution = Uniform(low=0.0, high=1.0)
    """Place in the interval of the coefficient of restitution."""
    com_shift: Distribution = Uniform(low=-0.08, high=0.08)
    """Shift of the centre of mass along each axis, as a share of the extent."""


@dataclass(frozen=True, kw_only=True)
class LookRange:
    """Light, camera and materials."""

    lights: Distribution = Uniform(low=1.0, high=3.0)
    """Number of distant lights."""
    intensity: Distribution = LogUniform(low=0.35, high=1.2)
    """Strength of a light."""
    ambient: Distribution = Uniform(low=0.2, high=0.6)
    """Light from everywhere."""
    warmth: Distribution = Uniform(low=-0.25, high=0.25)
    """Share by which red is stronger and blue weaker."""
    elevation_rad: Distribution = Uniform(low=0.5, high=1.5)
    """Height of a light above the horizon [rad]."""
    exposure: Distribution = LogUniform(low=0.7, high=1.4)
    """Factor on all light."""
    background: Distribution = Uniform(low=0.2, high=1.0)
    """Brightness behind everything."""
    camera_shift_m: Distribution = Uniform(low=-0.08, high=0.08)
    """Shift of the camera along each axis [m]."""
    camera_turn_rad: Distribution = Uniform(low=-0.08, high=0.08)
    """Turn of the camera about each axis [rad]."""
    focal: Distribution = LogUniform(low=0.9, high=1.1)
    """Factor on the focal length."""
    materials: Distribution = Uniform(low=0.0, high=0.6)
    """Share of objects that are covered by a material made by program."""


@dataclass(frozen=True, kw_only=True)
class TaskRange:
    """Goals."""

    goal_distance_m: Distribution = Uniform(low=0.1, high=0.3)
    """From the handled object to the goal, along its support [m]."""
    goal_radius_m: Distribution = Constant(value=0.05)
    """Radius of the goal region [m]."""
    reach_m: Distribution = Constant(value=0.75)
    """Longest way from the robot's base to what it handles [m]; a Panda reaches 0.855 m."""


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Shares of the cousins that are kept out of training."""

    heldout_near: float = 0.1
    """Drawn as train is."""
    heldout_far: float = 0.1
    """With at least one of the farthest shapes, which train never shows."""
    far_shapes: float = 0.25
    """Share of all shapes, the farthest, that are kept for `heldout_far`."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Ranges of variation, and the distance to the twin on each axis."""

    distance: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(AXES, 0.6))
    """Largest distance by axis, from 0 (as the twin) to 1 (the full ranges)."""
    layout: LayoutRange = field(default_factory=LayoutRange)
    """Poses of the objects."""
    clutter: ClutterRange = field(default_factory=ClutterRange)
    """Added and removed objects."""
    shape: ShapeRange = field(default_factory=ShapeRange)
    """Deformed shapes."""
    swap: SwapRange = field(default_factory=SwapRange)
    """Swapped assets."""
    joints: JointRange = field(default_factory=JointRange)
    """Joints."""
    dynamics: DynamicsRange = field(default_factory=DynamicsRange)
    """Physical parameters."""
    look: LookRange = field(default_factory=LookRange)
    """Light, camera and materials."""
    task: TaskRange = field(default_factory=TaskRange)
    """Goals."""
    splits: Splits = field(default_factory=Splits)
    """Shares of the held-out splits."""

    def at_distance(self, distance: float, *, axes: Mapping[str, float] | None = None) -> Recipe:
        """Return the recipe with one distance for all axes, except those given in `axes`; raises `InputError`."""
        distances = dict.fromkeys(AXES, distance) | dict(axes or {})
        return dataclasses.replace(self, distance=_distances(distances))

    @staticmethod
    def from_toml(text: str) -> Recipe:
        """Return the recipe that TOML text describes; what it leaves out has its default. Raises `InputError`."""
        return parse_recipe(text)

    def to_toml(self) -> str:
        """Return the recipe as commented TOML with every field."""
        return recipe_toml(self)


_SECTIONS: Final = ("layout", "clutter", "shape", "swap", "joints", "dynamics", "look", "task", "splits")


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a TOML file; raises `InputError` where it is invalid."""
    if not path.is_file():
        raise InputError(
            f"no recipe {path.name!r}", expected="a TOML file", hint="`cousins recipe init SCENE -o recipe.toml`"
        )
    data = path.read_bytes()
    if len(data) > MAX_RECIPE_BYTES:
        raise InputError(f"a recipe of {len(data)} bytes", expected=f"at most {MAX_RECIPE_BYTES}", hint="Shorten it.")
    try:
        return parse_recipe(data.decode())
    except UnicodeDecodeError as error:
        raise InputError("bytes that are no text", expected="a TOML file in UTF-8", hint="Save it again.") from error


def parse_recipe(text: str) -> Recipe:
    """Return the recipe of a TOML text; raises `InputError`."""
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"a recipe that is no TOML: {error}", expected="TOML", hint="Correct that line.") from error
    _require_known(tree, {"distance", *_SECTIONS}, field_name="the recipe")
    recipe = Recipe()
    if "distance" in tree:
        _require_table(tree["distance"], field_name="distance")
        _require_known(tree["distance"], set(AXES), field_name="distance")
        recipe = dataclasses.replace(recipe, distance=_distances(dict(recipe.distance) | tree["distance"]))
    sections = {name: _section(getattr(recipe, name), tree[name], name) for name in _SECTIONS if name in tree}
    return dataclasses.replace(recipe, **sections)


def recipe_toml(recipe: Recipe) -> str:
    """Return a recipe as commented TOML that reads back as the same recipe."""
    lines = [
        "# What may vary and how far. A field holds a number, { uniform = [a, b] } or { log_uniform = [a, b] }.",
        "",
        "# How far each axis goes, from 0 (as the twin) to 1 (as far as the ranges below reach).",
        "[distance]",
        *(f"{axis} = {recipe.distance[axis]}" for axis in AXES),
    ]
    for name in _SECTIONS:
        section = getattr(recipe, name)
        lines += ["", f"# {type(section).__doc__}", f"[{name}]"]
        comments = _field_docs(type(section))
        for section_field in dataclasses.fields(section):
            value = getattr(section, section_field.name)
            lines += [f"# {comments[section_field.name]}"]
            lines += [f"{section_field.name} = {value if isinstance(value, float) else distribution_toml(value)}"]
    return "\n".join(lines) + "\n"


def _section(default: Any, table: Any, name: str) -> Any:
    _require_table(table, field_name=name)
    known_fields = {section_field.name for section_field in dataclasses.fields(default)}
    _require_known(table, known_fields, field_name=name)
    values: dict[str, Any] = {}
    for key, value in table.items():
        field_name = f"{name}.{key}"
        if isinstance(getattr(default, key), float):
            values[key] = _share(value, field_name=field_name)
        else:
            values[key] = parse_distribution(value, field_name=field_name)
            require_limits(values[key], field_name=field_name)
    return dataclasses.replace(default, **values)


def _distances(values: Mapping[str, Any]) -> dict[str, float]:
    unknown = sorted(set(values) - set(AXES))
    if unknown:
        raise InputError(
            f"no axis named {unknown[0][:40]!r}", expected="one of " + ", ".join(AXES), hint="Correct the name."
        )
    return {axis: _share(values[axis], field_name=f"distance.{axis}") for axis in AXES}


def _share(value: Any, *, field_name: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.0 <= value <= 1.0:
        raise InputError(
            f"{field_name} = {str(value)[:40]}", expected="a number from 0 to 1", hint="Correct the recipe."
        )
    return float(value)


def _require_table(value: Any, *, field_name: str) -> None:
    if not isinstance(value, dict):
        raise InputError(
            f"{field_name} = {str(value)[:40]}", expected=f"a table [{field_name}]", hint="Correct the recipe."
        )


def _require_known(table: Mapping[str, Any], allowed: set[str], *, field_name: str) -> None:
    unknown = sorted(set(table) - allowed)
    if unknown:
        raise InputError(
            f"{field_name} has a field {unknown[0][:40]!r}",
            expected="only " + ", ".join(sorted(allowed)),
            hint="`cousins recipe init SCENE` writes a recipe with every field.",
        )


def _field_docs(section: type) -> dict[str, str]:
    """Return the docstring of each field, read from the source of its class."""
    body = ast.parse(inspect.getsource(section)).body[0]
    assert isinstance(body, ast.ClassDef)
    docs: dict[str, str] = {}
    for statement, next_statement in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and isinstance(next_statement, ast.Expr)
        ):
            docs[statement.target.id] = str(ast.literal_eval(next_statement.value))
    return docs
