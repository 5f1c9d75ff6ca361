"""Worker process that decodes selected pictures of a video with PyAV; started by `video.py`.

Standard input is a line of JSON (`wanted`: ascending picture numbers, `width` [px] or null), then the video.
Standard output is, for each picture, its number, the size of its JPEG and the JPEG; last comes 2³²−1 and the number
of pictures that were decoded, all numbers as four bytes, little-endian.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys

import av

MAX_MEMORY_BYTES = 3 << 30
"""Address space limit [bytes]."""
MAX_CPU_S = 280
"""Processor time limit [s]."""
MAX_PIXELS = 10_000_000
"""Largest picture [px]; phones film at most 4K, 8.3 million."""
MAX_OUTPUT_BYTES = 600 << 20
"""Largest total size of the JPEGs [bytes]: 400 pictures of a phone are 200 MB."""
END_MARK = 0xFFFFFFFF
_QUALITY = 92


def main() -> None:
    """Read the request from standard input and write the pictures to standard output."""
    for kind, amount in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (amount, amount))
    request = json.loads(sys.stdin.buffer.readline())
    numbers, width = set(request["wanted"]), request["width"]
    last, count, written = max(numbers, default=-1), 0, 0
    with av.open(io.BytesIO(sys.stdin.buffer.read()), format="mp4") as container:
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            raise SystemExit("too large")
        stream.thread_type = "AUTO"
        for count, frame in enumerate(container.decode(stream), start=1):
            number = count - 1
            if number in numbers:
                written += _write(number, frame, width)
            if written > MAX_OUTPUT_BYTES:
                raise SystemExit("too many bytes")
            if width is not None and number >= last:
                break
    sys.stdout.buffer.write(struct.pack("<2I", END_MARK, count))


def _write(number: int, frame: av.VideoFrame, width: int | None) -> int:
    """Write one picture as JPEG and return its size [bytes]."""
    image = frame.to_image()
    if width is not None:
        image = image.resize((width, max(1, round(width * image.height / image.width))))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY)
    data = buffer.getvalue()
    sys.stdout.buffer.write(struct.pack("<2I", number, len(data)) + data)
    return len(data)


if __name__ == "__main__":
    main()
