import pytest

from cousins.reconstruct.materials import MATERIALS, material_for


@pytest.mark.parametrize(
    ("label", "size", "name"),
    [
        ("blue mug", 0.1, "ceramic"),
        ("wooden spoon holder", 0.2, "wood"),
        ("metal chair", 1.0, "metal"),
        ("office chair", 1.0, "furniture"),
        ("box 19×12×5 cm", 0.19, "unknown"),
        ("object 80×60×95 cm", 0.95, "unknown large"),
    ],
)
def test_a_label_determines_the_material(label: str, size: float, name: str) -> None:
    assert material_for(label, longest_side_m=size).name == name


def test_every_row_names_its_source_and_only_unknown_rows_are_defaults() -> None:
    for name, row in MATERIALS.items():
        expected = "default" if name.startswith("unknown") else "material table"
        assert {row.density_kg_m3.source, row.friction.source, row.restitution.source} == {expected}
        assert row.friction.low > 0.0
        assert row.restitution.high < 1.0
