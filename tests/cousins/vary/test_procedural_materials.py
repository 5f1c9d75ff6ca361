from dataclasses import replace

import numpy as np

from cousins.families.finishes import FINISHES
from cousins.meshes import Mesh
from cousins.vary.library.procedural_materials import with_material
from sim.physics.simple_assets import box_piece, rigid_asset


def textured():
    asset = rigid_asset("box", [box_piece((0.2, 0.1, 0.1))])
    link = asset.links[0]
    uv = np.random.default_rng(0).uniform(size=(len(link.visual.vertices), 2))
    visual = Mesh(
        vertices=link.visual.vertices, faces=link.visual.faces, uv=uv, texture=np.full((8, 8, 3), 7, dtype=np.uint8)
    )
    return replace(asset, links=(replace(link, visual=visual),))


def test_every_material_covers_an_asset_and_nothing_but_its_looks_changes() -> None:
    asset = textured()
    for material in FINISHES:
        new = with_material(asset, material, pattern="a")
        assert new.links[0].visual.texture is not None
        assert new.links[0].visual.texture.std() >= 0.0
        assert not np.array_equal(new.links[0].visual.texture[:8, :8], asset.links[0].visual.texture)
        np.testing.assert_array_equal(new.links[0].visual.vertices, asset.links[0].visual.vertices)
        assert new.links[0].mass_kg == asset.links[0].mass_kg
        assert new.friction == asset.friction


def test_the_same_word_gives_the_same_pattern_and_another_another() -> None:
    first, again, other = (
        with_material(textured(), "wood", pattern=word).links[0].visual.texture for word in ("a", "a", "b")
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_mesh_without_texture_coordinates_takes_one_colour() -> None:
    visual = with_material(rigid_asset("box", [box_piece((0.1, 0.1, 0.1))]), "metal", pattern="a").links[0].visual
    assert visual.texture is None
    assert visual.colors is not None
    assert len(np.unique(visual.colors, axis=0)) == 1
