"""What every test may use: real captures where they are at hand, and the same threads everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.update(DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false")

DATA = Path(__file__).parents[1] / "../shared/data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return the folder of a public data set by name; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        path = (DATA / name).resolve()
        if not path.exists():
            pytest.skip(f"public data '{name}' is not at ../shared/data")
        return path

    return find
