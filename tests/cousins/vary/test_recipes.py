"""A recipe is a value: it reads back from its own text, every field can be set, and nothing else gets in."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cousins.errors import InputError
from cousins.vary.cousins import AXES
from cousins.vary.distributions import Constant, Distribution, LogUniform, Uniform
from cousins.vary.recipe_limits import LIMITS
from cousins.vary.recipes import MAX_RECIPE_BYTES, Recipe, parse_recipe, read_recipe, recipe_toml

SECTIONS = ("layout", "clutter", "shape", "swap", "joints", "dynamics", "look", "task", "splits")
FIELDS = [(name, item.name) for name in SECTIONS for item in dataclasses.fields(getattr(Recipe(), name))]

shares = st.floats(min_value=0.0, max_value=1.0)


def distributions(field_name: str) -> st.SearchStrategy[Distribution]:
    low, high = LIMITS[field_name]
    numbers = st.floats(min_value=low, max_value=high, allow_subnormal=False)
    positive = st.floats(min_value=max(low, 1e-6), max_value=high)
    return st.one_of(
        numbers.map(lambda value: Constant(value=value)),
        st.tuples(numbers, numbers).map(lambda ends: Uniform(low=min(ends), high=max(ends))),
        st.tuples(positive, positive).map(lambda ends: LogUniform(low=min(ends), high=max(ends))),
    )


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    sections: dict[str, Any] = {}
    for name in SECTIONS:
        section = getattr(Recipe(), name)
        values = {
            item.name: draw(
                shares if isinstance(getattr(section, item.name), float) else distributions(f"{name}.{item.name}")
            )
            for item in dataclasses.fields(section)
        }
        sections[name] = dataclasses.replace(section, **values)
    return Recipe(distance={axis: draw(shares) for axis in AXES}, **sections)


@settings(max_examples=60, deadline=None)
@given(recipes())
def test_a_recipe_reads_back_from_its_own_text(recipe: Recipe) -> None:
    assert parse_recipe(recipe_toml(recipe)) == recipe


def test_the_text_of_a_recipe_explains_every_section_and_field() -> None:
    lines = recipe_toml(Recipe()).splitlines()
    for name in SECTIONS:
        assert lines[lines.index(f"[{name}]") - 1].startswith("# ")
    for _, field in FIELDS:
        (line_number, *_) = [index for index, line in enumerate(lines) if line.startswith(f"{field} = ")]
        assert lines[line_number - 1].startswith("# ")
        assert lines[line_number - 1].endswith(".")


@pytest.mark.parametrize(("section", "field"), FIELDS)
def test_every_field_can_be_set(section: str, field: str) -> None:
    changed = parse_recipe(f"[{section}]\n{field} = 0.3125\n")
    assert getattr(getattr(changed, section), field) in (0.3125, Constant(value=0.3125))
    back = dataclasses.replace(changed, **{section: getattr(Recipe(), section)})
    assert back == Recipe()


def test_an_empty_text_is_the_default_recipe() -> None:
    assert parse_recipe("") == Recipe()


def test_a_file_may_set_some_distances_and_leave_the_others() -> None:
    recipe = parse_recipe("[distance]\nswap = 0.8\n")
    assert recipe.distance == dict.fromkeys(AXES, 0.6) | {"swap": 0.8}


def test_one_distance_for_all_axes_may_have_exceptions() -> None:
    recipe = Recipe().at_distance(0.25, axes={"look": 1.0})
    assert recipe.distance == dict.fromkeys(AXES, 0.25) | {"look": 1.0}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[distance]\nlayuot = 0.5", "distance has a field 'layuot'"),
        ("[layout]\nshift = 0.5", r"layout has a field 'shift'; expected only jitter_m, shift_m, yaw_rad"),
        ("[colours]\nred = 1", "the recipe has a field 'colours'"),
        ("[distance]\nswap = 1.5", r"distance\.swap = 1\.5; expected a number from 0 to 1"),
        ("[distance]\nswap = nan", r"distance\.swap = nan; expected a number from 0 to 1"),
        ("[distance]\nswap = true", r"distance\.swap = True"),
        ("distance = 3", r"distance = 3; expected a table \[distance\]"),
        ("layout = 'far'", r"layout = far; expected a table \[layout\]"),
        ("[layout]\nshift_m = 'far'", r"layout\.shift_m = far; expected a number, \{ uniform = \[a, b\] \}"),
        ("[layout]\nshift_m = inf", r"layout\.shift_m: inf; expected a finite number"),
        (
            "[layout]\nshift_m = { uniform = [2, 1] }",
            r"layout\.shift_m: uniform = \[2, 1\]; expected two ends in order",
        ),
        ("[shape]\nstretch = { log_uniform = [0, 1] }", r"both above 0"),
        ("[shape]\nstretch = { normal = [0, 1] }", r"shape\.stretch = "),
        ("[splits]\nheldout_far = -0.1", r"splits\.heldout_far = -0\.1; expected a number from 0 to 1"),
        ("[layout", "a recipe that is no TOML"),
    ],
)
def test_errors_name_the_invalid_field(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_recipe(text)


def test_an_unknown_axis_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no axis named 'colour'; expected one of layout, clutter, shape, swap"):
        Recipe().at_distance(0.5, axes={"colour": 0.5})


words = st.sampled_from([*SECTIONS, *(field for _, field in FIELDS), *AXES, "distance", "uniform", "log_uniform", "x"])
leaves = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.text(max_size=4), st.dates())
trees = st.dictionaries(
    words,
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3)),
    max_size=4,
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml(item)}' for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return str(value)


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_tree_is_a_recipe_or_an_input_error(tree: dict[str, Any]) -> None:
    text = "\n".join(f'"{key}" = {toml(value)}' for key, value in tree.items())
    try:
        recipe = parse_recipe(text)
    except InputError:
        return
    assert parse_recipe(recipe_toml(recipe)) == recipe


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_a_recipe_or_an_input_error(text: str) -> None:
    try:
        parse_recipe(text)
    except InputError:
        return


@settings(max_examples=100, deadline=None)
@given(st.one_of(*map(distributions, LIMITS)), st.floats(0.0, 1.0))
def test_a_value_at_a_quantile_lies_between_the_bounds(distribution: Distribution, quantile: float) -> None:
    low, high = distribution.bounds
    room = 1e-9 * max(abs(low), abs(high))
    assert low - room <= distribution.at_quantile(quantile) <= high + room


def test_an_invalid_recipe_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no recipe 'none\.toml'.*cousins recipe init"):
        read_recipe(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="bytes that are no text"):
        read_recipe(tmp_path / "bytes.toml")
    (tmp_path / "long.toml").write_bytes(b"#" * (MAX_RECIPE_BYTES + 1))
    with pytest.raises(InputError, match="a recipe of 1048577 bytes"):
        read_recipe(tmp_path / "long.toml")
    (tmp_path / "deep.toml").write_text("x = " + "[" * 100_000)
    with pytest.raises(InputError, match="no TOML"):
        read_recipe(tmp_path / "deep.toml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[shape]\nvariants = -5", "shape.variants from -5 to -5; expected values from 0 to 1000"),
        ("[look]\nfocal = 0", "look.focal from 0 to 0; expected values from 0.05 to 20"),
        ("[task]\ngoal_radius_m = -0.1", "task.goal_radius_m from -0.1 to -0.1"),
        ("[clutter]\nadd = { uniform = [0, 1000000] }", "clutter.add from 0 to 1e\\+06; expected values from 0 to 100"),
        ("[swap]\nsize_ratio = { log_uniform = [0.001, 1] }", "swap.size_ratio from 0.001 to 1"),
    ],
)
def test_a_number_without_a_meaning_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_recipe(text)


def test_every_field_with_a_distribution_has_limits_that_hold_its_default() -> None:
    fields = {f"{section}.{field}" for section, field in FIELDS if section != "splits"}
    assert fields == set(LIMITS)
    assert parse_recipe(recipe_toml(Recipe())) == Recipe()
