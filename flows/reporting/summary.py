"""A scan in numbers: what `--json` prints, and `report.json` keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cousins.capture.captures import Capture, Scale
from cousins.codec import plain
from cousins.fidelity.measurement import Fidelity
from cousins.geometry import Array
from cousins.quantities import Quantity
from cousins.scene.scene_folder import scene_digest
from cousins.scene.scenes import PlacedAsset, Scene
from flows.execution.executor import StageExecutor
from flows.execution.stage import Reference
from flows.pipeline.scan_results import CaptureResults, TwinResults
from flows.pipeline.stages import Checks
from sim.physics.installed import single_engine_fallbacks
from sim.validation.gates import GateReport


def summary_of(twin: TwinResults, executor: StageExecutor) -> dict[str, Any]:
    """Return all that is known about a twin, as JSON values; nothing in it depends on the clock."""
    scene, gates = executor.load(twin.written), executor.load(twin.gates)
    doubts = [] if twin.capture is None else executor.load(twin.capture.checks).probe.warnings
    moved_m = executor.load(twin.settled).moved_m
    return {
        "name": scene.name,
        "digest": scene_digest(executor.folder(twin.written) / "scene"),
        "fidelity": None if twin.fidelity is None else fidelity_summary(executor.load(twin.fidelity)),
        **(layout_summary(scene) if twin.capture is None else frames_summary(twin.capture, executor)),
        "settled_mm": {name: round(distance_m * 1000.0, 3) for name, distance_m in moved_m.items()},
        "scale": scale_summary(scene.scale),
        **scene_summary(scene, gates, more_warnings=doubts),
    }


def frames_summary(results: CaptureResults, executor: StageExecutor) -> dict[str, Any]:
    """Return what is known about the frames: the capture, its poses and the segments found in it."""
    return {
        "capture": capture_summary(executor.load(results.capture), executor.load(results.checks)),
        "refinement": plain(executor.load(results.aligned).report),
        "segments": [segment.name for segment in executor.load(results.named).segments],
    }


def fidelity_summary(fidelity: Fidelity) -> dict[str, Any]:
    """Return how well a twin agrees with what the frames measured; shares and decibels rounded."""
    values: dict[str, Any] = plain(fidelity)
    for key in ("explained", "missing", "phantom", "remainder"):
        values[key] = round(values[key], 4)
    values["color_db"] = None if fidelity.color_db is None else round(fidelity.color_db, 2)
    values["surface_m2"], values["unexplained_m2"] = round(fidelity.surface_m2, 3), round(fidelity.unexplained_m2, 3)
    if fidelity.plain is not None:
        values["plain"] = {
            key: None if value is None else round(value, 4) for key, value in plain(fidelity.plain).items()
        }
    values["objects"] = [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in item.items()}
        for item in values["objects"]
    ]
    return values


def layout_summary(scene: Scene) -> dict[str, Any]:
    """Return the same for a layout scan, which has no frames."""
    capture: dict[str, Any] = {
        "name": scene.name,
        "device": "unknown",
        "app": "RoomPlan" if scene.scale.source == "lidar" else "finished mesh",
        "frames": 0,
        "color_frames": 0,
        "color_px": None,
        "depth_px": None,
        "gravity_known": True,
        "scale": scale_summary(scene.scale),
        "probe": None,
        "quality": {},
        "findings": [],
    }
    return {"capture": capture, "refinement": {}, "segments": []}


def scene_summary(scene: Scene, gates: GateReport, *, more_warnings: Iterable[str] = ()) -> dict[str, Any]:
    """Return what changes when an object of a scene is changed by hand: assets, gates, warnings, fallbacks."""
    measured = gates.to_json()
    return {
        "assets": [
            asset_summary(placed, scale_error=scene.scale.error, hangs_on=measured["hanging"].get(placed.asset.name))
            for placed in scene.objects
        ],
        "structures": [{"name": structure.name, "kind": structure.kind} for structure in scene.structures],
        "relations": [plain(relation) for relation in scene.relations],
        "ok": measured["ok"],
        "gates": measured["gates"],
        "agreement": measured["agreement"],
        "fixed": measured["fixed"],
        "hanging": measured["hanging"],
        "gate_results": measured["results"],
        "warnings": warnings_of(scene, more_warnings, gates),
        "fallbacks": once(
            [*fallbacks_of(scene), *single_engine_fallbacks([engine.engine for engine in gates.engines])]
        ),
    }


def capture_summary(capture: Capture, checks: Checks) -> dict[str, Any]:
    """Return what a capture is and how good it is."""
    cameras = [frame.color_camera for frame in capture.frames if frame.color_camera is not None]
    depth = capture.frames[0].depth_camera
    return {
        "name": capture.name,
        "device": capture.device,
        "app": capture.app,
        "frames": len(capture.frames),
        "color_frames": len(cameras),
        "color_px": [cameras[0].width, cameras[0].height] if cameras else None,
        "depth_px": [depth.width, depth.height],
        "gravity_known": capture.gravity_known,
        "scale": scale_summary(capture.scale),
        "probe": plain(checks.probe),
        "quality": {
            name: round(value, 4) for name, value in plain(checks.quality.metrics).items() if value is not None
        },
        "findings": plain(checks.quality.findings),
    }


def scale_summary(scale: Scale) -> dict[str, Any]:
    """Return a scale's source and error, and the factors between which true lengths lie at a confidence of 90 %."""
    low, high = scale.interval
    return {"source": scale.source, "error": scale.error, "low": float(f"{low:.4g}"), "high": float(f"{high:.4g}")}


def asset_summary(placed: PlacedAsset, *, scale_error: float, hangs_on: str | None = None) -> dict[str, Any]:
    """Return an asset's numbers, each physical one with its interval and source, and what it hangs on, if it hangs."""
    asset = placed.asset
    return {
        "name": asset.name,
        "label": asset.label,
        "label_source": asset.label_source,
        "label_score": None if asset.label_score is None else round(asset.label_score, 3),
        "size_m": rounded(asset.size_m),
        "size_error_m": rounded(scale_error * asset.size_m),
        "position_m": rounded(placed.world_from_asset[:3, 3]),
        "mass_kg": quantity(total([link.mass_kg for link in asset.links])),
        "friction": quantity(asset.friction),
        "restitution": quantity(asset.restitution),
        "material": asset.material,
        "fixed": placed.fixed,
        "hangs_on": hangs_on,
        "hulls": sum(len(link.pieces) for link in asset.links),
        "observed_fraction": round(asset.observed_fraction, 4),
        "completions": list(asset.completions),
        "joints": [
            {"name": joint.name, "kind": joint.kind, "lower": joint.lower, "upper": joint.upper}
            for joint in asset.joints
        ],
    }


def warnings_of(scene: Scene, more: Iterable[str], gates: GateReport) -> list[str]:
    """Return every warning once: of the capture, of the scene, and each gate that did not pass."""
    empty = [] if scene.objects else ["No object was found: the twin is fixed structure alone."]
    return once([*empty, *more, *scene.warnings, *failed_gates(gates)])


def failed_gates(gates: GateReport) -> list[str]:
    """Return a sentence for each object and gate that failed, with the values of all engines."""
    values: dict[tuple[str, str], list[str]] = {}
    for result in gates.failures:
        measured = f"{result.value:.3g} {result.unit} in {result.engine} (at most {result.threshold:.3g})"
        values.setdefault((result.subject, result.gate), []).append(measured)
    return [f"{subject} fails the gate '{gate}': {', '.join(texts)}." for (subject, gate), texts in values.items()]


def fallbacks_of(scene: Scene) -> list[str]:
    """Return every fallback once: of the scene, then of each asset with its name."""
    of_assets = [f"{placed.asset.name}: {text}" for placed in scene.objects for text in placed.asset.fallbacks]
    return once([*scene.fallbacks, *of_assets])


def stage_seconds(references: Iterable[Reference[object]]) -> dict[str, float]:
    """Return the seconds of each stage, those of one name added up."""
    seconds: dict[str, float] = {}
    for reference in references:
        name = reference.stage.name
        seconds[name] = seconds.get(name, 0.0) + reference.seconds
    return {name: round(value, 3) for name, value in seconds.items()}


def busy_seconds(references: Iterable[Reference[object]]) -> float:
    """Return the time in which at least one stage was at work [s]."""
    total_s, until = 0.0, float("-inf")
    for reference in sorted(references, key=lambda reference: reference.started):
        total_s += max(0.0, reference.ended - max(reference.started, until))
        until = max(until, reference.ended)
    return total_s


def once(texts: Iterable[str]) -> list[str]:
    """Return the texts in order, each once."""
    return list(dict.fromkeys(texts))


def total(parts: list[Quantity]) -> Quantity:
    """Return the sum of quantities; its source is the first one's."""
    return Quantity(
        value=sum(part.value for part in parts),
        low=sum(part.low for part in parts),
        high=sum(part.high for part in parts),
        source=parts[0].source,
    )


def quantity(value: Quantity) -> dict[str, Any]:
    """Return a quantity as JSON, to four significant digits."""
    return {
        "value": float(f"{value.value:.4g}"),
        "low": float(f"{value.low:.4g}"),
        "high": float(f"{value.high:.4g}"),
        "source": value.source,
    }


def rounded(values: Array) -> list[float]:
    """Return lengths [n] rounded to a tenth of a millimetre."""
    return [round(float(value), 4) for value in values]
