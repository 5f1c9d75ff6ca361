import numpy as np
import trimesh

from cousins.geometry import rigid, rotation_about
from cousins.meshes import Mesh
from cousins.quantities import Quantity
from cousins.reconstruct.build import VOLUME_ERROR, mass_properties, upright_frame


def test_the_asset_frame_follows_the_longer_side_of_the_footprint() -> None:
    box = Mesh.from_trimesh(trimesh.creation.box(extents=(0.3, 0.1, 0.2)))
    world_from_box = rigid(rotation_about(np.array([0.0, 0.0, 1.0]), 0.4), np.array([1.0, 2.0, 3.0]))
    world_from_asset = upright_frame(box.transformed(world_from_box))
    np.testing.assert_allclose(world_from_asset, world_from_box, atol=1e-5)


def test_mass_and_inertia_of_a_box_are_exact_and_the_interval_holds_the_volume_error() -> None:
    a, b, c = 0.3, 0.1, 0.2
    density = Quantity(value=500.0, low=300.0, high=900.0, source="material table")
    mass, center, inertia = mass_properties(Mesh.from_trimesh(trimesh.creation.box(extents=(a, b, c))), density)
    m = a * b * c * 500.0
    assert np.isclose(mass.value, m)
    assert np.isclose(mass.low, m * 0.6 * (1 - VOLUME_ERROR))
    assert np.isclose(mass.high, m * 1.8 * (1 + VOLUME_ERROR))
    np.testing.assert_allclose(center, 0.0, atol=1e-12)
    np.testing.assert_allclose(inertia, m / 12 * np.diag([b * b + c * c, a * a + c * c, a * a + b * b]), atol=1e-12)


def test_an_error_of_scale_widens_the_mass_by_its_third_power() -> None:
    box = Mesh.from_trimesh(trimesh.creation.box(extents=(0.1, 0.2, 0.3)))
    density = Quantity(value=500.0, low=400.0, high=600.0, source="material table")
    mass, _, _ = mass_properties(box, density, scale_error=0.05)
    wide = np.hypot(VOLUME_ERROR, 0.15)
    assert np.isclose(mass.value, 3.0)
    assert np.isclose(mass.low, 2.4 * (1 - wide))
    assert np.isclose(mass.high, 3.6 * (1 + wide))


def test_a_guessed_side_widens_the_mass_by_its_factor() -> None:
    box = Mesh.from_trimesh(trimesh.creation.box(extents=(0.1, 0.2, 0.3)))
    density = Quantity(value=500.0, low=400.0, high=600.0, source="material table")
    measured, guessed = (mass_properties(box, density, volume_factor=factor)[0] for factor in (1.0, 2.0))
    assert np.isclose(guessed.value, measured.value)
    assert np.isclose(guessed.low, 0.5 * measured.low)
    assert np.isclose(guessed.high, 2.0 * measured.high)
