"""Worker process that decodes photos; started by `pictures.py`.

Standard input is a line of JSON (`sizes` of the files, `long_side` [px]) and the files, one after another. For each,
standard output is the size of a JSON line as four bytes, the line (`width`, `height`, `focal_px`, `bytes` and what is
known of `focus_distance_m` and `oriented`, or `error`) and a JPEG. Of the metadata only the orientation, the colour
profile, the focal length and the focus distance are read.
"""

from __future__ import annotations

import io
import json
import math
import resource
import struct
import sys
from typing import Any

from PIL import Image, ImageCms, ImageOps, features

from cousins.photos.focus_distance import focus_distance_m

MAX_MEMORY_BYTES = 3 << 30
"""Address space limit [bytes]."""
MAX_CPU_S = 230
"""Processor time limit [s]."""
MAX_PIXELS = 60_000_000
"""Largest photo [px]; phones produce 48 million."""
FILM_DIAGONAL_MM = 43.27
"""Diagonal of the 36×24 mm frame to which 35 mm equivalent focal lengths refer (CIPA DCG-001)."""
_QUALITY = 93
_DECODER_ERRORS = (OSError, ValueError, SyntaxError, struct.error, EOFError, RuntimeError, Image.DecompressionBombError)
_EXIF_IFD, _FOCAL, _FOCAL_35, _PLANE_RESOLUTION, _PLANE_UNIT, _WIDTH = 0x8769, 0x920A, 0xA405, 0xA20E, 0xA210, 0xA002
_ORIENTATION = 0x0112
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0}


def limit_resources(*, cpu_s: int) -> None:
    """Limit memory and processor time [s] of this process, and forbid it to write files."""
    for kind, amount in (
        (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (amount, amount))


def main() -> None:
    """Read the request from standard input and write the decoded pictures to standard output."""
    limit_resources(cpu_s=MAX_CPU_S)
    formats = ["JPEG", "PNG", "WEBP", "TIFF", "BMP"]
    if features.check("avif"):
        formats.append("AVIF")
    try:
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
        formats.append("HEIF")
    except ModuleNotFoundError:
        pass
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    request = json.loads(sys.stdin.buffer.readline())
    for size in request["sizes"]:
        data = sys.stdin.buffer.read(size)
        try:
            header, jpeg = decode_photo(data, formats, request["long_side"])
        except _DECODER_ERRORS as error:
            header, jpeg = {"error": type(error).__name__}, b""
        write_picture(header, jpeg)


def decode_photo(data: bytes, formats: list[str], long_side: int) -> tuple[dict[str, Any], bytes]:
    """Return a photo's header and its JPEG: upright, sRGB, at most `long_side` [px].

    The header has `width`, `height`, `focal_px`, `focus_distance_m`, and whether the metadata contain how it was held:
    `oriented`.
    """
    with Image.open(io.BytesIO(data), formats=formats) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}×{image.height} px")
        focal = _focal_share(image)
        exif = image.getexif()
        details = {"focus_distance_m": focus_distance_m(exif.get_ifd(_EXIF_IFD)), "oriented": _ORIENTATION in exif}
        image.draft("RGB", (long_side, long_side))
        upright = ImageOps.exif_transpose(image)
        profile = image.info.get("icc_profile")
    header, jpeg = encode_picture(_convert_to_srgb(upright, profile), focal, long_side)
    return header | details, jpeg


def encode_picture(image: Image.Image, focal_share: float | None, long_side: int) -> tuple[dict[str, Any], bytes]:
    """Return header and JPEG of an upright picture; `focal_share` is the focal length divided by the image diagonal."""
    scale = min(1.0, long_side / max(image.size))
    if scale < 1.0:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=_QUALITY)
    focal_px = None if focal_share is None else focal_share * math.hypot(*image.size)
    return {"width": image.width, "height": image.height, "focal_px": focal_px}, buffer.getvalue()


def write_picture(header: dict[str, Any], jpeg: bytes) -> None:
    """Write one picture to standard output."""
    line = json.dumps(header | {"bytes": len(jpeg)}).encode()
    sys.stdout.buffer.write(struct.pack("<I", len(line)) + line + jpeg)
    sys.stdout.buffer.flush()


def _convert_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture converted from its colour profile to sRGB (phones save Display P3)."""
    if not profile or image.mode != "RGB":
        return image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        )
    except ImageCms.PyCMSError:
        return image
    return image if converted is None else converted


def _focal_share(image: Image.Image) -> float | None:
    """Return the focal length as a share of the picture's diagonal; None where EXIF does not give it."""
    values = image.getexif().get_ifd(_EXIF_IFD)
    as_35 = _positive_number(values.get(_FOCAL_35))
    if as_35:
        return as_35 / FILM_DIAGONAL_MM
    focal_mm, per_unit = _positive_number(values.get(_FOCAL)), _positive_number(values.get(_PLANE_RESOLUTION))
    unit_mm = _UNIT_MM.get(int(_positive_number(values.get(_PLANE_UNIT)) or 2))
    saved = _positive_number(values.get(_WIDTH))
    if not (focal_mm and per_unit and unit_mm and saved):
        return None
    focal_px = focal_mm * per_unit / unit_mm * max(image.size) / saved
    share = focal_px / math.hypot(*image.size)
    return share if 0.2 < share < 10.0 else None


def _positive_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0.0 else None


if __name__ == "__main__":
    main()
