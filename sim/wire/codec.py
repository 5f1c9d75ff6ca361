"""Frames of openpi's policy wire: msgpack, in which arrays are maps with keys of bytes.

An array is `{b"__ndarray__": True, b"data": bytes, b"dtype": text, b"shape": list}`, a numpy scalar
`{b"__npgeneric__": True, b"data": value, b"dtype": text}`. Arrays of objects, records and complex numbers are refused
on both sides, and nothing is ever unpickled.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgpack
import numpy as np

from cousins.errors import InputError

MAX_FRAME_BYTES: Final = 1 << 26
"""Largest frame that is read or sent [bytes]: two pictures of a megapixel take a tenth of it."""
KINDS: Final = "biufSU"
"""Kinds of numpy types that may cross the wire."""


class WireError(InputError):
    """Something on a wire that is not what its protocol says."""


def pack(value: Any) -> bytes:
    """Return a value as the bytes of a frame; raises `WireError` for what must not cross the wire."""
    try:
        data: bytes = msgpack.packb(value, default=_array_to_map)
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError(
            f"a message that cannot be sent ({error})", expected="numbers, texts, arrays", hint=""
        ) from error
    if len(data) > MAX_FRAME_BYTES:
        raise _too_large(len(data))
    return data


def unpack(data: bytes) -> Any:
    """Return the value of a frame, its arrays read-only; raises `WireError` for anything else."""
    if len(data) > MAX_FRAME_BYTES:
        raise _too_large(len(data))
    try:
        return msgpack.unpackb(data, object_hook=_map_to_array, strict_map_key=False, max_ext_len=0)
    except (ValueError, TypeError, KeyError, RecursionError, msgpack.UnpackException) as error:
        raise WireError(
            f"a frame that cannot be read ({error})"[:200],
            expected="msgpack with arrays as openpi writes them",
            hint="Is the other side a policy server or client of openpi's protocol?",
        ) from error


def _array_to_map(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind not in KINDS:
        raise TypeError(f"an array of {value.dtype}")
    if isinstance(value, np.ndarray):
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"a {type(value).__name__}")


def _map_to_array(record: dict[Any, Any]) -> Any:
    if b"__ndarray__" in record:
        dtype, shape, data = _dtype(record), record[b"shape"], record[b"data"]
        if not isinstance(data, bytes) or not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError("an array without bytes or with a shape that is none")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise ValueError(f"an array of shape {tuple(shape)} with {len(data)} bytes")
        return np.frombuffer(data, dtype=dtype).reshape(shape)
    if b"__npgeneric__" in record:
        return _dtype(record).type(record[b"data"])
    return record


def _dtype(record: dict[Any, Any]) -> np.dtype[Any]:
    text = record[b"dtype"]
    if not isinstance(text, str) or len(text) > 8:
        raise ValueError("a type that is none")
    dtype = np.dtype(text)
    if dtype.kind not in KINDS or dtype.itemsize == 0:
        raise ValueError(f"an array of {dtype}")
    return dtype


def _too_large(size: int) -> WireError:
    return WireError(
        f"a frame of {size / 1e6:.0f} MB",
        expected=f"at most {MAX_FRAME_BYTES / 1e6:.0f} MB",
        hint="Send smaller pictures: policies take 224 by 224.",
    )
