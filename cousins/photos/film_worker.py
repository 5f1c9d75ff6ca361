"""Choose and decode pictures of a film in a process of its own; run by `film.py`.

Standard input is a line of JSON (`most` pictures, `long_side` [px]) and the film; standard output is as that of
`picture_child.py`, with the time of each picture. The film is decoded twice: once small, to see how far the picture
moves and how sharp it is, and once to take the pictures.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import av
import numpy as np
from PIL import Image

from cousins.geometry import Array
from cousins.photos.image_worker import encoded, limit, write
from cousins.photos.tones import srgb_of_hdr

MAX_CPU_S = 290
"""Processor time [s]."""
MAX_PIXELS = 10_000_000
"""Largest picture [px]; phones film at most 4K, 8.3 million."""
SMALL = (192, 144)
"""Size at which motion and sharpness are looked at [px]."""
STEP = 0.06
"""Motion between two pictures that are taken, as a share of the picture's side."""
LEAST = 12
"""A film gives so many pictures even where little moves."""
MAX_SHIFT = 0.25
"""A larger shift between two pictures in a row is a cut or blur, and counts as this."""
_HDR = {16: "pq", 18: "hlg"}


def main() -> None:
    """Read the request, write the pictures."""
    limit(cpu_s=MAX_CPU_S)
    request = json.loads(sys.stdin.buffer.readline())
    film = sys.stdin.buffer.read()
    chosen = choose(*_watch(film), most=request["most"])
    for number, frame in enumerate(_frames(film)):
        if number in chosen:
            told, jpeg = encoded(_upright(frame), None, request["long_side"])
            write(told | {"time_s": float(frame.time or 0.0)}, jpeg)
        if number >= max(chosen):
            return


def choose(steps: Array, sharpness: Array, *, most: int) -> set[int]:
    """Return the numbers of the sharpest picture in each of several stretches of equal motion.

    `steps` [n] is the motion since the picture before, as a share of the picture's side.
    """
    path = np.cumsum(steps + 1e-6)
    count = int(np.clip(path[-1] / STEP, min(LEAST, len(path)), most))
    stretch = np.minimum((path / path[-1] * count).astype(int), count - 1)
    return {
        int(within[np.argmax(sharpness[within])])
        for within in (np.flatnonzero(stretch == number) for number in range(count))
        if len(within)
    }


def _watch(film: bytes) -> tuple[Array, Array]:
    """Return the motion since the picture before and the sharpness of each picture, both [n]."""
    steps, sharpness = [], []
    before = None
    window = np.outer(np.hanning(SMALL[1]), np.hanning(SMALL[0]))
    for frame in _frames(film):
        gray = frame.reformat(width=SMALL[0], height=SMALL[1], format="gray").to_ndarray().astype(np.float64)
        bends = gray[1:-1, 2:] + gray[1:-1, :-2] + gray[2:, 1:-1] + gray[:-2, 1:-1] - 4.0 * gray[1:-1, 1:-1]
        sharpness.append(float(bends.var()))
        spectrum = np.fft.rfft2((gray - gray.mean()) * window)
        steps.append(0.0 if before is None else _shift(before, spectrum))
        before = spectrum
    if not steps:
        raise SystemExit("no pictures")
    return np.array(steps), np.array(sharpness)


def _shift(first: Array, second: Array) -> float:
    """Return how far a picture moved as a share of its side (phase correlation of two spectra)."""
    cross = second * np.conj(first)
    peak = int(np.argmax(np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=SMALL[::-1])))
    row, column = divmod(peak, SMALL[0])
    down, right = (row + SMALL[1] // 2) % SMALL[1] - SMALL[1] // 2, (column + SMALL[0] // 2) % SMALL[0] - SMALL[0] // 2
    return min(float(np.hypot(down / SMALL[1], right / SMALL[0])), MAX_SHIFT)


def _frames(film: bytes) -> Iterator[av.VideoFrame]:
    """Decode all pictures in order of time."""
    with av.open(io.BytesIO(film), format="mp4") as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise SystemExit("too large")
        stream.thread_type = "AUTO"
        yield from container.decode(stream)


def _upright(frame: av.VideoFrame) -> Image.Image:
    """Return the picture as the phone was held, 8-bit sRGB."""
    curve = _HDR.get(int(frame.color_trc or 0))
    if curve is None:
        pixels = frame.to_ndarray(format="rgb24")
    else:
        pixels = srgb_of_hdr(frame.to_ndarray(format="rgb48le").astype(np.float32) / 65535.0, curve=curve)
    return Image.fromarray(np.ascontiguousarray(np.rot90(pixels, k=round(frame.rotation / 90.0))))


if __name__ == "__main__":
    main()
