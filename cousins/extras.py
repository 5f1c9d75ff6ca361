"""Optional dependencies: an extra that is not installed is an input error that says what to type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cousins.errors import InputError

EXTRAS_OF_MODULE: Final[dict[str, tuple[str, ...]]] = {
    "av": ("video", "photos", "record"),
    "botocore": ("s3",),
    "cv2": ("vision",),
    "dask": ("dask",),
    "distributed": ("dask",),
    "fastapi": ("flows",),
    "fsspec": ("s3",),
    "gymnasium": ("envs", "rl", "rllib", "record"),
    "huggingface_hub": ("hub",),
    "mcap": ("record",),
    "mujoco": ("sim",),
    "msgpack": ("cells",),
    "ncnn": ("names",),
    "pillow_heif": ("photos",),
    "prefect": ("flows",),
    "prefect_dask": ("dask",),
    "prefect_ray": ("ray",),
    "pyarrow": ("record", "rllib"),
    "pybullet": ("sim",),
    "pycolmap": ("photos",),
    "ray": ("ray", "rllib"),
    "rsl_rl": ("adapters",),
    "s3fs": ("s3",),
    "safetensors": ("rl", "sam", "rllib"),
    "serial": ("cells",),
    "skrl": ("adapters",),
    "stable_baselines3": ("rl",),
    "tensorboard": ("rl", "rllib"),
    "tensordict": ("adapters",),
    "torch": ("rl", "sam", "rllib", "adapters"),
    "transformers": ("sam",),
    "websockets": ("cells",),
}
"""Extras that install a module, by the module's top-level name; errors name the first one, unless told otherwise."""


@contextmanager
def requires_extra(extra: str) -> Iterator[None]:
    """Turn a missing module into an `InputError` that names the extra to install.

    That is `extra`, unless the module is known to come with others only: then it is the first of those.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extras = EXTRAS_OF_MODULE.get(_top_level(error), (extra,))
        needed = extra if extra in extras else extras[0]
        raise InputError(
            f"no module {error.name!r}",
            expected=f"the extra `{needed}`",
            hint=f"Install it: pip install 'cousins[{needed}]'.",
        ) from error


@contextmanager
def missing_module_as_extra() -> Iterator[None]:
    """Turn a missing module of `EXTRAS_OF_MODULE` into an `InputError` that names the extra to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        extras = EXTRAS_OF_MODULE.get(_top_level(error))
        if extras is None:
            raise
        with requires_extra(extras[0]):
            raise


def _top_level(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]
