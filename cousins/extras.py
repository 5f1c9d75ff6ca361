"""Optional dependencies: an extra that is not installed is an input error that says what to type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cousins.errors import InputError

EXTRA_OF_MODULE: Final = {
    "av": "video",
    "cv2": "vision",
    "dask": "dask",
    "distributed": "dask",
    "gymnasium": "envs",
    "huggingface_hub": "hub",
    "mcap": "record",
    "mujoco": "sim",
    "ncnn": "names",
    "pillow_heif": "photos",
    "prefect": "flows",
    "prefect_dask": "dask",
    "prefect_ray": "ray",
    "pyarrow": "record",
    "pybullet": "sim",
    "pycolmap": "photos",
    "ray": "ray",
    "s3fs": "s3",
    "safetensors": "rl",
    "stable_baselines3": "rl",
    "torch": "rl",
    "transformers": "sam",
}
"""Extra that installs a module, by the module's top-level name."""


@contextmanager
def requires_extra(extra: str) -> Iterator[None]:
    """Turn a missing module into an `InputError` that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"no module {error.name!r}",
            expected=f"the extra `{extra}`",
            hint=f"Install it: pip install 'cousins[{extra}]'.",
        ) from error
