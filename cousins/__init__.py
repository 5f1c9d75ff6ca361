"""Real to sim to real with digital cousins: from a phone scan to physics-ready worlds, packs, policies and trials.

The names below are the public API; each is imported when it is first used, so that `import cousins` takes no time.
Types are in `__init__.pyi`. This table is the only place in `cousins` that points upward, to `sim` and `flows`.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

__version__ = "0.2.0"

_HOMES: Final = {
    "Asset": "cousins.reconstruct.assets",
    "Body": "sim.bodies.body",
    "Capture": "cousins.capture.captures",
    "CousinsError": "cousins.errors",
    "Fidelity": "cousins.fidelity.measurement",
    "Finding": "cousins.findings",
    "InputError": "cousins.errors",
    "Pack": "cousins.pack.packs",
    "Recipe": "cousins.vary.recipes",
    "ScanOptions": "flows.pipeline.scan_options",
    "ScanResult": "flows.pipeline.scan_results",
    "Scene": "cousins.scene.scenes",
    "Segmentation": "cousins.segment.segments",
    "Task": "sim.tasks.task",
    "TrainingConfig": "sim.train.config",
    "adapt_env": "sim.train.adapters",
    "assemble_twin": "cousins.scene.layout.twin",
    "check": "cousins.scene.checks",
    "evaluate": "sim.train.evaluation",
    "load_family": "cousins.families.family",
    "load_policy": "sim.train.policy_loading",
    "make_env": "sim.envs.make_env",
    "make_pack": "flows.api",
    "measure_affordances": "cousins.affordances",
    "measure_fidelity": "cousins.fidelity.measurement",
    "missing_affordances": "cousins.affordances",
    "open_pack": "cousins.pack.transfer.pull",
    "read_capture": "cousins.capture.ingest",
    "reconstruct_objects": "cousins.reconstruct.objects",
    "refine_poses": "cousins.fusion.pose_refinement",
    "register_rllib_envs": "sim.train.adapters",
    "scan": "flows.api",
    "segment_capture": "cousins.segment.backend_choice",
    "settle": "sim.validation.settle",
    "train": "sim.train.training",
}
"""Module of every public name."""

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name from its module; raises `AttributeError` for others.

    Raises `InputError` that names the extra where a library that the module needs is not installed.
    """
    from cousins.extras import missing_module_as_extra, requires_extra

    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cousins' has no attribute {name!r}")
    with requires_extra("rl") if home.startswith("sim.train.") else missing_module_as_extra():
        value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*globals(), *_HOMES])
