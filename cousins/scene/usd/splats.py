"""Splats as OpenUSD: one `UsdVol.ParticleField3DGaussianSplat`, to look at and not to touch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdVol, Vt

from cousins.reconstruct.splats import Splats
from cousins.scene.usd.prims import new_stage

PRIM = "/World/Background"
"""Where the splats lie; a layer over a scene's adds them to it."""


def write_splats(splats: Splats, path: Path, *, scene: str | None = None) -> None:
    """Write splats [m, z up] as a USD file; `scene` is the relative path of a layer that they are laid over."""
    stage, _ = new_stage("World")
    field = UsdVol.ParticleField3DGaussianSplat.Define(stage, PRIM)
    field.CreatePositionsAttr(_rows(splats.positions, Vt.Vec3fArray))
    field.CreateOrientationsAttr(Vt.QuatfArray([Gf.Quatf(*row) for row in splats.quats_wxyz.tolist()]))
    field.CreateScalesAttr(_rows(splats.scales, Vt.Vec3fArray))
    field.CreateOpacitiesAttr(Vt.FloatArray.FromNumpy(splats.opacities.astype(np.float32)))
    field.CreateRadianceSphericalHarmonicsDegreeAttr(splats.degree)
    field.CreateRadianceSphericalHarmonicsCoefficientsAttr(_rows(splats.harmonics.reshape(-1, 3), Vt.Vec3fArray))
    reach = 3.0 * splats.scales.max(axis=1, keepdims=True)
    low, high = (splats.positions - reach).min(axis=0), (splats.positions + reach).max(axis=0)
    field.CreateExtentAttr(_rows(np.stack([low, high]), Vt.Vec3fArray))
    UsdGeom.Imageable(field.GetPrim()).CreatePurposeAttr("render")
    if scene is not None:
        stage.GetRootLayer().subLayerPaths.append(scene)
    stage.GetRootLayer().Export(str(path))


def read_splat_usd(path: Path) -> Splats:
    """Return the splats of a file that `write_splats` wrote."""
    stage = Usd.Stage.Open(Sdf.Layer.FindOrOpen(str(path)))
    field = UsdVol.ParticleField3DGaussianSplat(stage.GetPrimAtPath(PRIM))
    degree = field.GetRadianceSphericalHarmonicsDegreeAttr().Get()
    harmonics = np.array(field.GetRadianceSphericalHarmonicsCoefficientsAttr().Get(), dtype=np.float64)
    quats = [(quat.GetReal(), *quat.GetImaginary()) for quat in field.GetOrientationsAttr().Get()]
    return Splats(
        positions=np.array(field.GetPositionsAttr().Get(), dtype=np.float64),
        quats_wxyz=np.array(quats, dtype=np.float64),
        scales=np.array(field.GetScalesAttr().Get(), dtype=np.float64),
        opacities=np.array(field.GetOpacitiesAttr().Get(), dtype=np.float64),
        harmonics=harmonics.reshape(-1, (degree + 1) ** 2, 3),
    )


def _rows(values: np.ndarray, kind: type) -> object:
    return kind.FromNumpy(np.ascontiguousarray(values, dtype=np.float32))  # type: ignore[attr-defined]
