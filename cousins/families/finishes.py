"""Procedural finishes: seamless colour textures with roughness and metalness.

Each texture is periodic in both directions: noise is filtered in the frequency domain and patterns repeat a whole
number of times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cousins.errors import UnknownNameError
from cousins.geometry import Array


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Reflectance of a surface besides its colour (metallic-roughness model of glTF 2.0)."""

    name: str
    """Key of the table."""
    roughness: float
    """Roughness, from 0 (mirror) to 1 (matt)."""
    metallic: float
    """1 for bare metal, else 0."""


FINISHES: dict[str, Finish] = {
    finish.name: finish
    for finish in (
        Finish(name="wood", roughness=0.6, metallic=0.0),
        Finish(name="metal", roughness=0.35, metallic=1.0),
        Finish(name="plastic", roughness=0.45, metallic=0.0),
        Finish(name="ceramic", roughness=0.2, metallic=0.0),
        Finish(name="fabric", roughness=0.95, metallic=0.0),
        Finish(name="cardboard", roughness=0.85, metallic=0.0),
        Finish(name="glass", roughness=0.1, metallic=0.0),
        Finish(name="rubber", roughness=0.9, metallic=0.0),
        Finish(name="wicker", roughness=0.8, metallic=0.0),
        Finish(name="print", roughness=0.5, metallic=0.0),
        Finish(name="pages", roughness=0.9, metallic=0.0),
        Finish(name="paint", roughness=0.5, metallic=0.0),
        Finish(name="dark", roughness=0.3, metallic=0.0),
    )
}
"""The finishes by name."""


def make_texture(name: str, rng: np.random.Generator, size_px: int) -> Array:
    """Return a seamless sRGB texture of a finish, uint8 [size_px, size_px, 3]; grain runs along the rows.

    Raises `UnknownNameError` for an unknown finish.
    """
    if name not in _PAINTERS:
        known_names = ", ".join(sorted(_PAINTERS))
        raise UnknownNameError(
            f"no finish named '{name[:80]}'", expected=f"one of {known_names}", hint=f"Known: {known_names}."
        )
    image = _PAINTERS[name](rng, size_px)
    return np.clip(np.rint(image / 4.0) * 4.0, 0.0, 255.0).astype(np.uint8)


def _noise(rng: np.random.Generator, size: int, along: float, across: float) -> Array:
    """Return periodic noise [size, size] of mean 0 and deviation 1; `along`, `across` are correlation lengths."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    fy, fx = np.fft.fftfreq(size)[:, None] * size, np.fft.rfftfreq(size)[None, :] * size
    spectrum *= np.exp(-((fx * along) ** 2) - (fy * across) ** 2)
    spectrum[0, 0] = 0.0
    field = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(field / max(float(field.std()), 1e-12))


def _shaded_color(base: Array, field: Array, strength: float) -> Array:
    """Return a colour [3] with brightness modulated by a field [size, size], [size, size, 3]."""
    return np.asarray(base)[None, None, :] * (1.0 + strength * field[:, :, None])


def _pick_color(rng: np.random.Generator, *colors: tuple[int, int, int]) -> Array:
    """Return one of the colours [3] with small random changes of brightness and hue."""
    base = np.array(colors[int(rng.integers(len(colors)))], dtype=np.float64)
    return np.clip(base * rng.uniform(0.9, 1.1) + rng.normal(0.0, 2.0, 3), 8, 247)


_BRIGHT = (
    (200, 60, 52), (52, 104, 176), (238, 190, 60), (72, 148, 92), (236, 232, 222), (40, 44, 52), (120, 84, 150),
    (226, 126, 52), (92, 176, 184),
)  # fmt: skip


def _wood(rng: np.random.Generator, size: int) -> Array:
    base = _pick_color(rng, (176, 132, 88), (134, 94, 60), (204, 172, 128), (96, 64, 44), (224, 202, 168))
    y = np.arange(size)[:, None] / size
    rings = int(rng.integers(5, 10))
    bent = y * rings + 0.35 * _noise(rng, size, 0.25, 0.12)
    fibres = _noise(rng, size, 0.08, 0.004)
    return _shaded_color(base, np.sin(2.0 * np.pi * bent) * 0.6 + 0.45 * fibres, 0.09)


def _metal(rng: np.random.Generator, size: int) -> Array:
    base = _pick_color(rng, (178, 180, 184), (150, 152, 158), (196, 190, 178), (120, 122, 128))
    return _shaded_color(base, _noise(rng, size, 0.3, 0.002), 0.035)


def _plastic(rng: np.random.Generator, size: int) -> Array:
    return _shaded_color(_pick_color(rng, *_BRIGHT), _noise(rng, size, 0.05, 0.05), 0.012)


def _ceramic(rng: np.random.Generator, size: int) -> Array:
    glaze = _pick_color(
        rng, (238, 234, 224), (64, 98, 150), (182, 92, 64), (104, 136, 112), (238, 234, 224), (58, 60, 66)
    )
    speckles = np.where(_noise(rng, size, 0.006, 0.006) > 2.2, -1.0, 0.0)
    return _shaded_color(glaze, 0.02 * _noise(rng, size, 0.1, 0.1) + 0.14 * speckles, 1.0)


def _fabric(rng: np.random.Generator, size: int) -> Array:
    base = _pick_color(rng, *_BRIGHT, (196, 170, 140), (150, 118, 92), (226, 188, 196))
    threads = 2.0 * np.pi * max(8, size // 8) * np.arange(size) / size
    weave = np.sin(threads)[:, None] * np.sin(threads)[None, :]
    return _shaded_color(base, 0.07 * weave + 0.05 * _noise(rng, size, 0.03, 0.03), 1.0)


def _cardboard(rng: np.random.Generator, size: int) -> Array:
    base = _pick_color(rng, (186, 148, 104), (198, 164, 122), (170, 132, 92))
    waves = np.sin(2.0 * np.pi * max(4, size // 10) * np.arange(size) / size)[None, :]
    return _shaded_color(base, 0.02 * waves + 0.035 * _noise(rng, size, 0.06, 0.01), 1.0)


def _glass(rng: np.random.Generator, size: int) -> Array:
    return _shaded_color(
        _pick_color(rng, (196, 216, 212), (206, 222, 228), (170, 198, 170)), _noise(rng, size, 0.2, 0.2), 0.02
    )


def _rubber(rng: np.random.Generator, size: int) -> Array:
    return _shaded_color(_pick_color(rng, *_BRIGHT, (70, 70, 72)), _noise(rng, size, 0.006, 0.006), 0.04)


def _wicker(rng: np.random.Generator, size: int) -> Array:
    base = _pick_color(rng, (176, 134, 84), (142, 104, 66), (206, 176, 128), (226, 222, 212))
    strands = max(4, size // 16)
    x = strands * np.arange(size)[None, :] / size
    y = strands * np.arange(size)[:, None] / size
    over = np.sin(np.pi * x) * np.sin(np.pi * y) > 0.0
    relief = np.where(over, np.abs(np.sin(np.pi * y)), np.abs(np.sin(np.pi * x)))
    return _shaded_color(base, 0.5 * (relief - 0.75) + 0.06 * _noise(rng, size, 0.02, 0.02), 1.0)


def _print(rng: np.random.Generator, size: int) -> Array:
    """Return a printed label: bands of colour over the height, with blocks in place of text."""
    paper, band, ink = (_pick_color(rng, *_BRIGHT) for _ in range(3))
    image = np.broadcast_to(paper, (size, size, 3)).copy()
    first, second = sorted(rng.uniform(0.2, 0.8, 2))
    image[int(first * size) : int(second * size)] = band
    for _ in range(int(rng.integers(3, 7))):
        top, left = rng.uniform(0.05, 0.85, 2)
        height, width = rng.uniform(0.03, 0.1), rng.uniform(0.15, 0.6)
        columns = (np.arange(int(left * size), int((left + width) * size))) % size
        image[int(top * size) : int((top + height) * size), columns] = ink
    return image


def _pages(rng: np.random.Generator, size: int) -> Array:
    lines = rng.normal(0.0, 1.0, size)
    return _shaded_color(
        _pick_color(rng, (236, 230, 214), (224, 216, 196)), np.repeat(lines[:, None], size, axis=1), 0.035
    )


def _paint(rng: np.random.Generator, size: int) -> Array:
    base = _pick_color(
        rng, (240, 240, 236), (240, 240, 236), (206, 208, 206), (88, 104, 116), (176, 190, 176), (52, 54, 58)
    )
    return _shaded_color(base, _noise(rng, size, 0.08, 0.08), 0.01)


def _dark(rng: np.random.Generator, size: int) -> Array:
    return _shaded_color(_pick_color(rng, (38, 40, 44), (30, 30, 32)), _noise(rng, size, 0.08, 0.08), 0.03)


_PAINTERS: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "wood": _wood,
    "metal": _metal,
    "plastic": _plastic,
    "ceramic": _ceramic,
    "fabric": _fabric,
    "cardboard": _cardboard,
    "glass": _glass,
    "rubber": _rubber,
    "wicker": _wicker,
    "print": _print,
    "pages": _pages,
    "paint": _paint,
    "dark": _dark,
}
