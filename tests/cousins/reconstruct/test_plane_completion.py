import numpy as np

from cousins.reconstruct.texture.plane_completion import complete_plane

TEXEL_M = 0.002
SIZE = 256
HOLE = (slice(100, 150), slice(90, 160))


def striped(period_px: int = 10) -> np.ndarray:
    """Brown stripes along the columns under light that falls off, float [s, s, 3]."""
    across = np.arange(SIZE) % period_px < period_px // 2
    light = np.linspace(1.0, 0.8, SIZE)[:, None]
    gray = light * np.where(across, 170.0, 120.0)[None, :]
    return gray[..., None] * np.array([1.0, 0.8, 0.6])


def without_hole(texture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the texture as a photo shows it, uint8, with nothing in the hole, and what of it is known."""
    is_known = np.ones((SIZE, SIZE), dtype=bool)
    is_known[HOLE] = False
    return np.where(is_known[..., None], np.rint(texture), 0).astype(np.uint8), is_known


def complete(texture: np.ndarray) -> np.ndarray:
    photo, is_known = without_hole(texture)
    return complete_plane(photo, is_known, np.ones_like(is_known), TEXEL_M).astype(float)


def test_a_hole_in_stripes_is_filled_with_stripes_and_not_with_their_mean() -> None:
    true = striped()
    error = complete(true)[HOLE] - true[HOLE]
    mean_error = true[HOLE].mean(axis=(0, 1)) - true[HOLE]
    assert np.sqrt((error**2).mean()) < 0.35 * np.sqrt((mean_error**2).mean())


def test_completing_twice_gives_the_same_bytes() -> None:
    np.testing.assert_array_equal(complete(striped()), complete(striped()))


def test_a_soft_shadow_around_a_hole_is_lifted_and_the_rest_stays() -> None:
    true = striped()
    rows, columns = np.mgrid[:SIZE, :SIZE]
    outside = np.maximum(np.maximum(100 - rows, rows - 149), np.maximum(90 - columns, columns - 159)).clip(0)
    shadow = 1.0 - 0.5 * np.exp(-outside * TEXEL_M / 0.01)
    dark = true * shadow[..., None]
    completed = complete(dark)
    is_ring = (outside > 0) & (outside * TEXEL_M < 0.015)
    before = np.sqrt(((dark - true)[is_ring] ** 2).mean())
    after = np.sqrt(((completed - true)[is_ring] ** 2).mean())
    assert after < 0.5 * before
    far = outside * TEXEL_M > 0.05
    np.testing.assert_array_equal(completed[far], np.rint(dark)[far])


def test_a_print_beside_a_hole_keeps_its_colour_and_is_not_copied_into_it() -> None:
    true = striped()
    label = (slice(100, 150), slice(160, 200))
    true[label] = (30.0, 40.0, 200.0)
    completed = complete(true)
    label = (slice(100, 150), slice(164, 200))
    np.testing.assert_array_equal(completed[label], np.rint(true)[label])
    blue = completed[HOLE][..., 2] > completed[HOLE][..., 0]
    assert blue.mean() < 0.02
