import numpy as np

from cousins.reconstruct.texture.inpainting import fill_gutters, fill_in_image, fill_on_surface


def test_what_is_known_stays_and_a_ramp_is_continued_smoothly() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 64)[None, :, None], (64, 64, 3)).astype(np.uint8)
    is_known = np.ones((64, 64), dtype=bool)
    is_known[20:40, 20:40] = False
    filled = fill_in_image(np.where(is_known[..., None], ramp, 0).astype(np.uint8), is_known)
    np.testing.assert_array_equal(filled[is_known], ramp[is_known])
    assert np.abs(filled[~is_known].astype(float) - ramp[~is_known]).max() < 40
    assert np.abs(np.diff(filled[30].astype(float), axis=0)).max() < 25


def test_unseen_points_take_the_colour_of_what_is_near_in_space() -> None:
    points = np.array([[0.0, 0, 0], [0.001, 0, 0], [1.0, 0, 0], [1.001, 0, 0]])
    colors = np.array([[200, 0, 0], [0, 0, 0], [0, 0, 200], [0, 0, 0]], dtype=np.uint8)
    fill_on_surface(points, colors, np.array([True, False, True, False]))
    np.testing.assert_allclose(colors[1], [200, 0, 0], atol=1)
    np.testing.assert_allclose(colors[3], [0, 0, 200], atol=1)


def test_nothing_seen_changes_nothing() -> None:
    colors = np.full((2, 3), 7, dtype=np.uint8)
    fill_on_surface(np.zeros((2, 3)), colors, np.zeros(2, dtype=bool))
    assert (colors == 7).all()
    texture = np.full((4, 4, 3), 9, dtype=np.uint8)
    np.testing.assert_array_equal(fill_in_image(texture, np.zeros((4, 4), dtype=bool)), texture)


def test_gutters_repeat_the_nearest_covered_texel() -> None:
    texture = np.zeros((8, 8, 3), dtype=np.uint8)
    covered = np.zeros((8, 8), dtype=bool)
    texture[3, 3], covered[3, 3] = 50, True
    assert (fill_gutters(texture, covered) == 50).all()
