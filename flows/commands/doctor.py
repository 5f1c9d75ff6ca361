"""`cousins doctor`: check whether this machine has what is needed."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from collections.abc import Sequence
from typing import Any

NEED_MEMORY = 3.0e9
"""Memory of a scan of 70 frames [bytes]."""
NEED_DISK = 2.0e9
"""Room for the results of a scan [bytes]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: `cousins doctor` takes none."""


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], int]:  # noqa: ARG001
    """Look at versions, memory, disk and back-ends, and drop a box in every installed engine."""
    import psutil

    from cousins import plugins
    from flows.execution.code_version import LIBRARIES, installed_versions
    from flows.pipeline.run_scan import default_store
    from sim.physics.installed import installed_engines

    store = default_store()
    free_disk = shutil.disk_usage(store.root).free
    memory = psutil.virtual_memory().available
    engines = installed_engines()
    checks = {
        "memory": memory >= NEED_MEMORY,
        "disk": free_disk >= NEED_DISK,
        "physics": bool(engines) and _box_stands(),
        "linux on x86-64": platform.system() == "Linux" and platform.machine() == "x86_64",
    }
    result = {
        "ok": all(checks.values()),
        "checks": checks,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_free_gb": round(memory / 1e9, 1),
        "disk_free_gb": round(free_disk / 1e9, 1),
        "store": {"path": str(store.root), "gb": round(store.size_bytes() / 1e9, 3)},
        "formats": plugins.backend_names("cousins.capture.backends"),
        "segmenters": plugins.backend_names("cousins.segment.backends"),
        "engines": list(engines),
        "prefect_server": os.environ.get("PREFECT_API_URL"),
        "versions": {name: installed_versions()[name] for name in (*LIBRARIES, *engines[::-1])},
    }
    hints = _hints(engines)
    return result | ({"hints": hints} if hints else {}), 0 if result["ok"] else 1


def format_result(result: dict[str, Any]) -> str:
    """Return the findings line by line."""
    lines = [f"{'ok ' if good else 'NOT'} {name}" for name, good in result["checks"].items()]
    lines.append(f"    Python {result['python']}, {result['cores']} cores, {result['memory_free_gb']} GB free memory")
    lines.append(
        f"    store {result['store']['path']}, {result['store']['gb']} GB; free disk {result['disk_free_gb']} GB"
    )
    lines += [f"    {kind}: {', '.join(result[kind]) or 'none'}" for kind in ("formats", "segmenters", "engines")]
    lines += [f"    {hint}" for hint in result.get("hints", [])]
    lines.append(
        f"    Prefect server: {result['prefect_server'] or 'none named in PREFECT_API_URL, scans run plainly'}"
    )
    lines.append("    " + ", ".join(f"{name} {version}" for name, version in result["versions"].items()))
    return "\n".join(lines)


def _box_stands() -> bool:
    """Return whether a box passes the gates in every installed engine."""
    from sim.physics.simple_assets import box_piece, make_scene, place, rigid_asset
    from sim.validation.gates import run_gates

    return run_gates(make_scene(place(rigid_asset("box", [box_piece((0.1, 0.1, 0.1))]), 0.0, 0.0, 0.05))).passed


def _hints(engines: Sequence[str]) -> list[str]:
    """Return what is missing and what to type for it."""
    from sim.physics.installed import single_engine_fallbacks

    if not engines:
        return ["scan, vary, label and all that simulates need the extra `sim`: pip install 'cousins[sim]'"]
    return [f"{text} (PyBullet has wheels for Python 3.11 only)" for text in single_engine_fallbacks(engines)]
