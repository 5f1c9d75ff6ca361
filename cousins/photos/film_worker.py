"""Worker process that selects and decodes keyframes of a film; started by `film.py`.

Standard input is a line of JSON (`most` pictures, `long_side` [px]) and the film; standard output is as that of
`image_worker.py`, with the time of each picture. The film is decoded twice: once small, to measure motion and
sharpness, and once to extract the keyframes.
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
from cousins.photos.image_worker import encode_picture, limit_resources, write_picture
from cousins.photos.tones import srgb_from_hdr

MAX_CPU_S = 290
"""Processor time limit [s]."""
MAX_PIXELS = 10_000_000
"""Largest picture [px]; phones film at most 4K, 8.3 million."""
ANALYSIS_SIZE_PX = (192, 144)
"""Width and height at which motion and sharpness are measured [px]."""
KEYFRAME_MOTION = 0.06
"""Image motion between two keyframes, as a share of the picture's side."""
MIN_KEYFRAMES = 12
"""Least number of keyframes, also of a film with little motion."""
MAX_SHIFT = 0.25
"""Cap on the shift between two consecutive pictures: a larger one is a cut or blur."""
_HDR_CURVES = {16: "pq", 18: "hlg"}


def main() -> None:
    """Read the request from standard input and write the keyframes to standard output."""
    limit_resources(cpu_s=MAX_CPU_S)
    request = json.loads(sys.stdin.buffer.readline())
    film = sys.stdin.buffer.read()
    numbers = choose_keyframes(*_measure_film(film), max_count=request["most"])
    for number, frame in enumerate(_frames(film)):
        if number in numbers:
            header, jpeg = encode_picture(_upright(frame), None, request["long_side"])
            write_picture(header | {"time_s": float(frame.time or 0.0), "oriented": bool(frame.rotation)}, jpeg)
        if number >= max(numbers):
            return


def choose_keyframes(steps: Array, sharpness: Array, *, max_count: int) -> set[int]:
    """Return the number of the sharpest picture in each of several segments of equal motion.

    `steps` [n] is the motion since the previous picture, as a share of the picture's side; `sharpness` [n] its score.
    """
    path = np.cumsum(steps + 1e-6)
    count = int(np.clip(path[-1] / KEYFRAME_MOTION, min(MIN_KEYFRAMES, len(path)), max_count))
    segment = np.minimum((path / path[-1] * count).astype(int), count - 1)
    return {
        int(members[np.argmax(sharpness[members])])
        for members in (np.flatnonzero(segment == number) for number in range(count))
        if len(members)
    }


def _measure_film(film: bytes) -> tuple[Array, Array]:
    """Return the motion since the previous picture and the sharpness of each picture, both [n]."""
    steps, sharpness = [], []
    previous = None
    window = np.outer(np.hanning(ANALYSIS_SIZE_PX[1]), np.hanning(ANALYSIS_SIZE_PX[0]))
    for frame in _frames(film):
        gray = (
            frame.reformat(width=ANALYSIS_SIZE_PX[0], height=ANALYSIS_SIZE_PX[1], format="gray")
            .to_ndarray()
            .astype(np.float64)
        )
        laplacian = gray[1:-1, 2:] + gray[1:-1, :-2] + gray[2:, 1:-1] + gray[:-2, 1:-1] - 4.0 * gray[1:-1, 1:-1]
        sharpness.append(float(laplacian.var()))
        spectrum = np.fft.rfft2((gray - gray.mean()) * window)
        steps.append(0.0 if previous is None else _phase_shift(previous, spectrum))
        previous = spectrum
    if not steps:
        raise SystemExit("no pictures")
    return np.array(steps), np.array(sharpness)


def _phase_shift(first: Array, second: Array) -> float:
    """Return the image shift as a share of its side, by phase correlation of two spectra."""
    cross = second * np.conj(first)
    peak = int(np.argmax(np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=ANALYSIS_SIZE_PX[::-1])))
    row, column = divmod(peak, ANALYSIS_SIZE_PX[0])
    down, right = (
        (row + ANALYSIS_SIZE_PX[1] // 2) % ANALYSIS_SIZE_PX[1] - ANALYSIS_SIZE_PX[1] // 2,
        (column + ANALYSIS_SIZE_PX[0] // 2) % ANALYSIS_SIZE_PX[0] - ANALYSIS_SIZE_PX[0] // 2,
    )
    return min(float(np.hypot(down / ANALYSIS_SIZE_PX[1], right / ANALYSIS_SIZE_PX[0])), MAX_SHIFT)


def _frames(film: bytes) -> Iterator[av.VideoFrame]:
    """Yield all decoded pictures in order of time."""
    with av.open(io.BytesIO(film), format="mp4") as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise SystemExit("too large")
        stream.thread_type = "AUTO"
        yield from container.decode(stream)


def _upright(frame: av.VideoFrame) -> Image.Image:
    """Return the picture as the phone was held, 8-bit sRGB."""
    curve = _HDR_CURVES.get(int(frame.color_trc or 0))
    if curve is None:
        pixels = frame.to_ndarray(format="rgb24")
    else:
        pixels = srgb_from_hdr(frame.to_ndarray(format="rgb48le").astype(np.float32) / 65535.0, curve=curve)
    return Image.fromarray(np.ascontiguousarray(np.rot90(pixels, k=round(frame.rotation / 90.0))))


if __name__ == "__main__":
    main()
