"""What a scan is asked for, what its stages gave by reference, and what it gives to the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cousins.capture.captures import Capture
from cousins.capture.quality.assessment import QualityReport
from cousins.fidelity.measurement import Fidelity
from cousins.fusion.pose_refinement import Refined
from cousins.meshes import Mesh
from cousins.reconstruct.objects import ReconstructedObject
from cousins.scene.scenes import Scene
from cousins.segment.segments import Segmentation
from flows.execution.stage import Reference
from flows.pipeline.scan_options import ScanOptions
from flows.pipeline.stages import Checks
from sim.validation.fragments import Fragments
from sim.validation.gates import GateReport
from sim.validation.settle import SettleResult


@dataclass(frozen=True, kw_only=True)
class ScanRequest:
    """What to scan, and where to."""

    source: Path
    """Phone export (folder or zip), layout scan, or finished mesh."""
    output: Path
    """Scene folder to write."""
    options: ScanOptions = field(default_factory=ScanOptions)
    """What changes the result."""
    force: bool = False
    """Whether an older scene may be replaced."""
    truth: Path | None = None
    """File of a simulated capture's truth, to compare the twin with; None for real captures."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScanResult:
    """A finished scan."""

    folder: Path
    """Scene folder."""
    digest: str
    """SHA-256 of what the scene folder says."""
    scene: Scene
    """The twin as it lies in the folder."""
    gates: GateReport
    """Measured values beside thresholds, by gate, engine and object."""
    fidelity: Fidelity | None
    """How much of what the frames measured the twin explains; None where there are no frames."""
    quality: QualityReport | None
    """Quality of the capture; None for a layout scan or a mesh."""
    warnings: tuple[str, ...]
    """What a user should know, a sentence each."""
    fallbacks: tuple[str, ...]
    """What had to be replaced by something weaker, a sentence each."""
    seconds: float
    """Wall time [s]."""
    stage_seconds: Mapping[str, float]
    """The same by stage [s]."""
    reused: tuple[str, ...]
    """Stages whose results an earlier run had made."""
    peak_rss_mb: float
    """Largest resident memory of all processes together [MB]."""
    summary: Mapping[str, object]
    """All of it as JSON values: what `cousins scan --json` prints and, but for the cost, what `report.json` keeps."""


@dataclass(frozen=True, kw_only=True)
class CaptureResults:
    """What became of a capture's frames, by reference."""

    capture: Reference[Capture]
    """Canonical capture."""
    checks: Reference[Checks]
    """Convention check and quality report."""
    refined: Reference[Refined]
    """Capture with refined poses."""
    aligned: Reference[Refined]
    """The same in the metres of a layout scan; `refined` itself where there is none."""
    segmented: Reference[Segmentation]
    """Segmentation with labels by geometry."""
    named: Reference[Segmentation]
    """The same with labels by the namer; `segmented` itself where there is none."""
    objects: tuple[Reference[ReconstructedObject], ...]
    """One asset or failure by segment."""
    surface: Reference[Mesh]
    """Plain fusion of the aligned frames."""
    fragments: Reference[Fragments]
    """Objects that are kept as surface."""

    @property
    def references(self) -> tuple[Reference[object], ...]:
        """All of them, each once, in the order of the stages."""
        frames = (self.capture, self.checks, self.refined, self.aligned, self.segmented, self.named)
        listed = (*frames, *self.objects, self.surface, self.fragments)
        return tuple({id(reference): reference for reference in listed}.values())


@dataclass(frozen=True, kw_only=True)
class TwinResults:
    """The results of a scan, by reference."""

    capture: CaptureResults | None
    """What the frames gave; None for a layout scan or a mesh, which have none."""
    scene: Reference[Scene]
    """Assembled scene."""
    settled: Reference[SettleResult]
    """Scene at rest."""
    written: Reference[Scene]
    """Scene folder."""
    gates: Reference[GateReport]
    """Gate report."""
    fidelity: Reference[Fidelity] | None
    """Fidelity to the frames; None where there are none."""
    pictures: Reference[Path]
    """Pictures and previews."""

    @property
    def references(self) -> tuple[Reference[object], ...]:
        """All of them, in the order of the stages."""
        measured = () if self.fidelity is None else (self.fidelity,)
        last = (self.scene, self.settled, self.written, self.gates, *measured, self.pictures)
        return last if self.capture is None else (*self.capture.references, *last)
