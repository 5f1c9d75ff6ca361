"""USD prims for one body: looks, convex pieces, mass, surface. Knows pxr; angles are degrees only behind this wall."""

from __future__ import annotations

from typing import Any

import numpy as np
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdPhysics, UsdSemantics, UsdShade, Vt

from cousins.errors import SceneError
from cousins.geometry import Array
from cousins.meshes import Mesh, mean_rgba
from cousins.quantities import Quantity
from cousins.reconstruct.assets import Link, Piece
from cousins.reconstruct.inertia import principal_inertia
from cousins.rounding import format_number, round_length, round_quaternion

MATERIAL_ROUGHNESS = 0.8
"""Roughness of every visual material: a phone's colours carry no information about gloss."""


def new_stage(default_prim: str) -> tuple[Usd.Stage, Usd.Prim]:
    """Return a stage in memory, in metres, kilograms and z up, and its default prim, an Xform.

    Payloads stay unloaded: their files need not lie there yet.
    """
    stage = Usd.Stage.CreateInMemory("new.usda", load=Usd.Stage.LoadNone)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    prim = UsdGeom.Xform.Define(stage, f"/{usd_identifier(default_prim)}").GetPrim()
    stage.SetDefaultPrim(prim)
    return stage, prim


def layer_bytes(stage: Usd.Stage) -> bytes:
    """Return the stage's root layer as .usda text."""
    text: str = stage.GetRootLayer().ExportToString()
    return text.encode()


def usd_identifier(name: str) -> str:
    """Return a name as USD writes it: `-` and a leading digit become `_`."""
    valid: str = Tf.MakeValidIdentifier(name)
    return valid


def require_distinct_identifiers(names: list[str]) -> None:
    """Raise `SceneError` where two names become the same USD identifier."""
    identifiers = [usd_identifier(name) for name in names]
    duplicates = sorted({name for name in names if identifiers.count(usd_identifier(name)) > 1})
    if duplicates:
        raise SceneError(
            f"the names {', '.join(duplicates)}, which are one in USD",
            expected="names that differ in letters, digits and '_'",
            hint="Rename one of them.",
        )


def set_pose(prim: Usd.Prim, pose: Array) -> None:
    """Set a rigid pose [4, 4] on a prim as translate and orient ops, without scale."""
    xform = UsdGeom.Xformable(prim)
    xform.AddTranslateOp(UsdGeom.XformOp.PrecisionDouble).Set(Gf.Vec3d(*round_length(pose[:3, 3]).tolist()))
    orient = xform.AddOrientOp(UsdGeom.XformOp.PrecisionDouble)
    orient.Set(Gf.Quatd(*round_quaternion(pose[:3, :3]).tolist()))


def set_labels(prim: Usd.Prim, words: tuple[str, ...]) -> None:
    """Set semantic labels of the taxonomy `category` on a prim."""
    UsdSemantics.LabelsAPI.Apply(prim, "category").CreateLabelsAttr(Vt.TokenArray(list(words)))


def quantity_data(quantity: Quantity) -> dict[str, Any]:
    """Return a quantity as custom data."""
    value, low, high = (float(format_number(item)) for item in (quantity.value, quantity.low, quantity.high))
    return {"value": value, "low": low, "high": high, "source": quantity.source}


def add_physics_material(stage: Usd.Stage, path: str, friction: Quantity, restitution: Quantity) -> UsdShade.Material:
    """Define a physics material; static and dynamic friction are one Coulomb coefficient."""
    material = UsdShade.Material.Define(stage, path)
    physics = UsdPhysics.MaterialAPI.Apply(material.GetPrim())
    physics.CreateStaticFrictionAttr(_float(friction.value))
    physics.CreateDynamicFrictionAttr(_float(friction.value))
    physics.CreateRestitutionAttr(_float(restitution.value))
    data = {"friction": quantity_data(friction), "restitution": quantity_data(restitution)}
    material.GetPrim().SetCustomDataByKey("cousins", data)
    return material


def add_mass_properties(prim: Usd.Prim, link: Link) -> None:
    """Apply an explicit mass, centre of mass and principal inertia to a rigid body."""
    moments, axes = principal_inertia(link.inertia_kg_m2)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(_float(link.mass_kg.value))
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*round_length(link.center_of_mass_m).tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*(_float(moment) for moment in moments)))
    mass.CreatePrincipalAxesAttr(Gf.Quatf(*round_quaternion(axes).tolist()))


def add_visual(stage: Usd.Stage, body: str, mesh: Mesh, *, material_path: str, texture: str) -> None:
    """Define `body/visual` with a preview surface at `material_path`; `texture` is the relative path of its image."""
    geom = _mesh(stage, f"{body}/visual", mesh)
    material = UsdShade.Material.Define(stage, material_path)
    shader = UsdShade.Shader.Define(stage, f"{material_path}/surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(MATERIAL_ROUGHNESS)
    shader.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    diffuse = shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f)
    material.CreateSurfaceOutput().ConnectToSource(shader.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    if mesh.uv is not None and mesh.texture is not None:
        _add_texture_coordinates(geom, mesh.uv)
        diffuse.ConnectToSource(_texture_output(stage, material_path, texture))
    else:
        diffuse.Set(Gf.Vec3f(*(_float(value) for value in mean_rgba(mesh)[:3])))
    if mesh.colors is not None:
        color = geom.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex)
        color.Set(Vt.Vec3fArray.FromNumpy(np.round(mesh.colors / 255.0, 4).astype(np.float32)))
    UsdShade.MaterialBindingAPI.Apply(geom.GetPrim()).Bind(material)


def add_colliders(stage: Usd.Stage, body: str, pieces: tuple[Piece, ...], material: UsdShade.Material) -> None:
    """Define `body/collisions` with one prim per convex piece, kept out of renderings by the purpose `guide`."""
    scope = UsdGeom.Scope.Define(stage, f"{body}/collisions")
    scope.CreatePurposeAttr(UsdGeom.Tokens.guide)
    for index, piece in enumerate(pieces):
        path = f"{body}/collisions/piece_{index:02d}"
        geom = _mesh(stage, path, piece.mesh) if piece.kind == "mesh" else _primitive(stage, path, piece)
        UsdPhysics.CollisionAPI.Apply(geom.GetPrim())
        if piece.kind == "mesh":
            approximation = UsdPhysics.MeshCollisionAPI.Apply(geom.GetPrim())
            approximation.CreateApproximationAttr(UsdPhysics.Tokens.convexHull)
        binding = UsdShade.MaterialBindingAPI.Apply(geom.GetPrim())
        binding.Bind(material, UsdShade.Tokens.weakerThanDescendants, "physics")


def _primitive(stage: Usd.Stage, path: str, piece: Piece) -> UsdGeom.Gprim:
    """Define a primitive; only a box carries a scale, on its own prim, as UsdPhysics wants boxes of three sizes."""
    size = round_length(piece.size_m)
    if piece.kind == "box":
        cube = UsdGeom.Cube.Define(stage, path)
        cube.CreateSizeAttr(1.0)
        cube.CreateExtentAttr(_extent(np.array([[-0.5] * 3, [0.5] * 3])))
        set_pose(cube.GetPrim(), piece.link_from_piece)
        cube.AddScaleOp(UsdGeom.XformOp.PrecisionDouble).Set(Gf.Vec3d(*size.tolist()))
        return cube
    if piece.kind == "cylinder":
        cylinder = UsdGeom.Cylinder.Define(stage, path)
        cylinder.CreateAxisAttr(UsdGeom.Tokens.z)
        cylinder.CreateRadiusAttr(float(round_length(size[0] / 2.0)))
        cylinder.CreateHeightAttr(float(size[2]))
        cylinder.CreateExtentAttr(_extent(np.stack([-size / 2.0, size / 2.0])))
        set_pose(cylinder.GetPrim(), piece.link_from_piece)
        return cylinder
    sphere = UsdGeom.Sphere.Define(stage, path)
    sphere.CreateRadiusAttr(float(round_length(size[0] / 2.0)))
    sphere.CreateExtentAttr(_extent(np.stack([-size / 2.0, size / 2.0])))
    set_pose(sphere.GetPrim(), piece.link_from_piece)
    return sphere


def _mesh(stage: Usd.Stage, path: str, mesh: Mesh) -> UsdGeom.Mesh:
    geom = UsdGeom.Mesh.Define(stage, path)
    points = round_length(mesh.vertices).astype(np.float32)
    geom.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    geom.CreateFaceVertexCountsAttr(Vt.IntArray(len(mesh.faces), 3))
    geom.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(mesh.faces, dtype=np.int32).ravel()))
    geom.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    geom.CreateExtentAttr(_extent(points))
    return geom


def _extent(points: Array) -> Vt.Vec3fArray:
    corners = np.stack([points.min(axis=0), points.max(axis=0)]).astype(np.float32)
    return Vt.Vec3fArray.FromNumpy(corners)


def _add_texture_coordinates(geom: UsdGeom.Mesh, uv: Array) -> None:
    primvars = UsdGeom.PrimvarsAPI(geom.GetPrim())
    st = primvars.CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
    st.Set(Vt.Vec2fArray.FromNumpy((np.round(uv, 6) + 0.0).astype(np.float32)))


def _texture_output(stage: Usd.Stage, material_path: str, texture: str) -> UsdShade.Output:
    reader = UsdShade.Shader.Define(stage, f"{material_path}/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    image = UsdShade.Shader.Define(stage, f"{material_path}/texture")
    image.CreateIdAttr("UsdUVTexture")
    image.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath(texture))
    image.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    image.CreateInput("wrapS", Sdf.ValueTypeNames.Token).Set("clamp")
    image.CreateInput("wrapT", Sdf.ValueTypeNames.Token).Set("clamp")
    st = reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    image.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(st)
    return image.CreateOutput("rgb", Sdf.ValueTypeNames.Float3)


def _float(value: float) -> float:
    return float(format_number(float(value)))
