"""Every check rule fires on a file that breaks it, and none on a good one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdPhysics

from cousins.errors import SceneError
from cousins.findings import Finding
from cousins.scene.checks import check
from cousins.scene.scene_folder import write_scene
from cousins.scene.usd.check_worker import check_file
from tests.cousins.scene.scenes_for_tests import table_scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checks") / "scene"
    write_scene(table_scene(), folder)
    return folder


def rules(findings: list[Finding]) -> set[str]:
    assert all(finding.fix and finding.message and finding.where for finding in findings)
    return {finding.rule for finding in findings}


def test_our_own_scene_has_no_finding_at_all(folder: Path) -> None:
    assert check(folder) == []


def test_our_own_layers_and_package_have_no_finding_alone(folder: Path) -> None:
    assert check_file(folder / "scene.usda") == []
    assert check_file(folder / "scene.usdz") == []
    assert check_file(folder / "assets/cabinet/asset.usda") == []


def good_stage(path: Path) -> Usd.Stage:
    """A lamp of two hinged boxes, as somebody else would write it."""
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdPhysics.SetStageKilogramsPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/Lamp").GetPrim())
    for name, z in (("foot", 0.0), ("arm", 0.2)):
        body = UsdGeom.Xform.Define(stage, f"/Lamp/{name}")
        body.AddTranslateOp().Set(Gf.Vec3d(0, 0, z))
        UsdPhysics.RigidBodyAPI.Apply(body.GetPrim())
        UsdPhysics.MassAPI.Apply(body.GetPrim()).CreateMassAttr(0.5)
        cube = UsdGeom.Cube.Define(stage, f"/Lamp/{name}/collider")
        cube.CreateSizeAttr(0.1)
        cube.CreateExtentAttr([(-0.05, -0.05, -0.05), (0.05, 0.05, 0.05)])
        cube.CreatePurposeAttr("guide")
        UsdPhysics.CollisionAPI.Apply(cube.GetPrim())
        box_looks(stage, f"/Lamp/{name}/looks", 0.1)
    UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath("/Lamp/foot"))
    hinge = UsdPhysics.RevoluteJoint.Define(stage, "/Lamp/hinge")
    hinge.CreateBody0Rel().SetTargets([Sdf.Path("/Lamp/foot")])
    hinge.CreateBody1Rel().SetTargets([Sdf.Path("/Lamp/arm")])
    hinge.CreateLocalPos0Attr(Gf.Vec3f(0, 0, 0.1))
    hinge.CreateLocalPos1Attr(Gf.Vec3f(0, 0, -0.1))
    hinge.CreateLowerLimitAttr(-45.0)
    hinge.CreateUpperLimitAttr(90.0)
    return stage


def box_looks(stage: Usd.Stage, path: str, size: float) -> None:
    half = size / 2
    corners = [(x, y, z) for x in (-half, half) for y in (-half, half) for z in (-half, half)]
    quads = [0, 1, 3, 2, 4, 6, 7, 5, 0, 4, 5, 1, 2, 3, 7, 6, 0, 2, 6, 4, 1, 5, 7, 3]
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(corners)
    mesh.CreateFaceVertexCountsAttr([4] * 6)
    mesh.CreateFaceVertexIndicesAttr(quads)
    mesh.CreateSubdivisionSchemeAttr("none")
    mesh.CreateExtentAttr([(-half, -half, -half), (half, half, half)])


def without_collider(stage: Usd.Stage) -> None:
    stage.GetPrimAtPath("/Lamp/arm/collider").RemoveAPI(UsdPhysics.CollisionAPI)


def nested(stage: Usd.Stage) -> None:
    inner = UsdGeom.Xform.Define(stage, "/Lamp/foot/inner").GetPrim()
    UsdPhysics.RigidBodyAPI.Apply(inner)
    UsdPhysics.MassAPI.Apply(inner).CreateMassAttr(0.1)
    cube = UsdGeom.Cube.Define(stage, "/Lamp/foot/inner/collider")
    UsdPhysics.CollisionAPI.Apply(cube.GetPrim())


def without_mass(stage: Usd.Stage) -> None:
    stage.GetPrimAtPath("/Lamp/arm").RemoveProperty("physics:mass")


def zero_mass(stage: Usd.Stage) -> None:
    stage.GetPrimAtPath("/Lamp/arm").GetAttribute("physics:mass").Set(0.0)


def negative_mass(stage: Usd.Stage) -> None:
    stage.GetPrimAtPath("/Lamp/arm").GetAttribute("physics:mass").Set(-1.0)


def wild_inertia(stage: Usd.Stage) -> None:
    UsdPhysics.MassAPI(stage.GetPrimAtPath("/Lamp/arm")).CreateDiagonalInertiaAttr(Gf.Vec3f(1, 1, 5))


def centimetres(stage: Usd.Stage) -> None:
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)


def no_kilograms(stage: Usd.Stage) -> None:
    stage.ClearMetadata("kilogramsPerUnit")


def y_up(stage: Usd.Stage) -> None:
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)


def radians(stage: Usd.Stage) -> None:
    hinge = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/Lamp/hinge"))
    hinge.GetLowerLimitAttr().Set(-0.7854)
    hinge.GetUpperLimitAttr().Set(1.5708)


def long_slide(stage: Usd.Stage) -> None:
    stage.RemovePrim("/Lamp/hinge")
    slide = UsdPhysics.PrismaticJoint.Define(stage, "/Lamp/slide")
    slide.CreateBody0Rel().SetTargets([Sdf.Path("/Lamp/foot")])
    slide.CreateBody1Rel().SetTargets([Sdf.Path("/Lamp/arm")])
    slide.CreateUpperLimitAttr(30.0)


def scaled(stage: Usd.Stage) -> None:
    UsdGeom.Xformable(stage.GetPrimAtPath("/Lamp/arm")).AddScaleOp().Set(Gf.Vec3f(1, 2, 1))


def two_roots(stage: Usd.Stage) -> None:
    UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath("/Lamp/arm"))


def no_root(stage: Usd.Stage) -> None:
    stage.GetPrimAtPath("/Lamp/foot").RemoveAPI(UsdPhysics.ArticulationRootAPI)


def far_collider(stage: Usd.Stage) -> None:
    UsdGeom.Cube(stage.GetPrimAtPath("/Lamp/arm/collider")).GetSizeAttr().Set(0.16)


def small_collider(stage: Usd.Stage) -> None:
    UsdGeom.Cube(stage.GetPrimAtPath("/Lamp/arm/collider")).GetSizeAttr().Set(0.05)


def triangles(stage: Usd.Stage) -> None:
    UsdPhysics.CollisionAPI.Apply(stage.GetPrimAtPath("/Lamp/arm/looks"))


def mirrored(stage: Usd.Stage) -> None:
    UsdGeom.Xformable(stage.GetPrimAtPath("/Lamp/arm")).AddScaleOp().Set(Gf.Vec3f(-1, 1, 1))


def not_finite(stage: Usd.Stage) -> None:
    stage.GetPrimAtPath("/Lamp/arm").GetAttribute("xformOp:translate").Set(Gf.Vec3d(0, 0, float("nan")))
    UsdGeom.Xformable(stage.GetPrimAtPath("/Lamp/arm")).AddScaleOp().Set(Gf.Vec3f(float("nan"), 1, 1))


def swapped_limits(stage: Usd.Stage) -> None:
    hinge = UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/Lamp/hinge"))
    hinge.GetLowerLimitAttr().Set(90.0)
    hinge.GetUpperLimitAttr().Set(-45.0)


def no_metres(stage: Usd.Stage) -> None:
    stage.ClearMetadata("metersPerUnit")


def grams(stage: Usd.Stage) -> None:
    UsdPhysics.SetStageKilogramsPerUnit(stage, 0.001)


def no_default_prim(stage: Usd.Stage) -> None:
    stage.ClearDefaultPrim()


def lost_joint_body(stage: Usd.Stage) -> None:
    UsdPhysics.RevoluteJoint(stage.GetPrimAtPath("/Lamp/hinge")).GetBody1Rel().SetTargets([Sdf.Path("/Lamp/nowhere")])


def referencing(asset: str) -> Callable[[Usd.Stage], None]:
    def change(stage: Usd.Stage) -> None:
        stage.GetRootLayer().subLayerPaths.append(asset)

    change.__name__ = f"sublayer {asset}"
    return change


def naming(asset: str) -> Callable[[Usd.Stage], None]:
    def change(stage: Usd.Stage) -> None:
        attribute = stage.GetPrimAtPath("/Lamp/arm").CreateAttribute("icon", Sdf.ValueTypeNames.Asset)
        attribute.Set(Sdf.AssetPath(asset))

    change.__name__ = f"attribute {asset}"
    return change


BROKEN = [
    (without_collider, "rigid-body-without-collider"),
    (nested, "nested-rigid-body"),
    (without_mass, "missing-mass"),
    (zero_mass, "missing-mass"),
    (negative_mass, "bad-mass"),
    (wild_inertia, "impossible-inertia"),
    (centimetres, "wrong-unit"),
    (no_kilograms, "wrong-unit"),
    (no_metres, "wrong-unit"),
    (grams, "wrong-unit"),
    (mirrored, "scaled-rigid-body"),
    (not_finite, "bad-transform"),
    (swapped_limits, "joint-limit-unit"),
    (y_up, "wrong-unit"),
    (radians, "joint-limit-unit"),
    (long_slide, "joint-limit-unit"),
    (scaled, "scaled-rigid-body"),
    (two_roots, "several-articulation-roots"),
    (no_root, "missing-articulation-root"),
    (far_collider, "collider-far-from-looks"),
    (small_collider, "collider-far-from-looks"),
    (triangles, "triangle-mesh-on-moving-body"),
    (no_default_prim, "usd:StageMetadataChecker.MissingDefaultPrim"),
    (lost_joint_body, "usd:PhysicsJointChecker.JointInvalidPrimRel"),
    (referencing("../outside.usda"), "escaping-path"),
    (referencing("a/../../outside.usda"), "escaping-path"),
    (referencing("/outside.usda"), "absolute-path"),
    (referencing("C:\\outside.usda"), "absolute-path"),
    (referencing("http://example.com/x.usda"), "uri-path"),
    (referencing("file:///outside.usda"), "uri-path"),
    (referencing("./linked.usda"), "link-out-of-folder"),
    (referencing("./linked_folder/canary.usda"), "link-out-of-folder"),
    (referencing("./missing.usda"), "missing-file"),
    (referencing("./sub.usda"), "escaping-path"),
    (referencing("./notes.txt"), "foreign-file-type"),
    (naming("../outside.png"), "escaping-path"),
    (naming("/outside.png"), "absolute-path"),
]


def test_a_good_file_from_somebody_else_has_no_finding(tmp_path: Path) -> None:
    path = tmp_path / "lamp.usda"
    good_stage(path).Save()
    assert check_file(path) == []


def test_a_link_below_a_link_that_a_joint_holds_is_legal(tmp_path: Path) -> None:
    stage = good_stage(tmp_path / "lamp.usda")
    nested(stage)
    UsdGeom.Cube(stage.GetPrimAtPath("/Lamp/foot/inner/collider")).CreateSizeAttr(0.05)
    weld = UsdPhysics.FixedJoint.Define(stage, "/Lamp/weld")
    weld.CreateBody0Rel().SetTargets([Sdf.Path("/Lamp/foot")])
    weld.CreateBody1Rel().SetTargets([Sdf.Path("/Lamp/foot/inner")])
    stage.Save()
    assert rules(check_file(tmp_path / "lamp.usda")) <= {"usd:ExtentValidator.ExtentMismatch"}


def test_a_link_that_is_only_a_frame_needs_no_collider_and_a_seen_one_does(tmp_path: Path) -> None:
    stage = good_stage(tmp_path / "lamp.usda")
    stage.RemovePrim("/Lamp/arm/collider")
    stage.Save()
    (finding,) = check_file(tmp_path / "lamp.usda")
    assert (finding.rule, finding.severity) == ("rigid-body-without-collider", "warning")
    stage.RemovePrim("/Lamp/arm/looks")
    stage.Save()
    assert check_file(tmp_path / "lamp.usda") == []


def test_units_are_a_warning_with_physics_and_an_info_without(tmp_path: Path) -> None:
    stage = good_stage(tmp_path / "lamp.usda")
    y_up(stage)
    stage.Save()
    assert [finding.severity for finding in check_file(tmp_path / "lamp.usda")] == ["warning"]
    plain = Usd.Stage.CreateNew(str(tmp_path / "plain.usda"))
    UsdGeom.SetStageUpAxis(plain, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(plain, 0.01)
    plain.SetDefaultPrim(UsdGeom.Xform.Define(plain, "/Box").GetPrim())
    box_looks(plain, "/Box/looks", 10.0)
    plain.Save()
    findings = check_file(tmp_path / "plain.usda")
    assert rules(findings) == {"no-physics", "wrong-unit"}
    assert {finding.severity for finding in findings} == {"info"}


def test_pieces_that_fill_a_solid_are_not_far_from_its_looks(tmp_path: Path) -> None:
    stage = good_stage(tmp_path / "lamp.usda")
    stage.RemovePrim("/Lamp/arm/collider")
    stage.RemovePrim("/Lamp/arm/looks")
    box_looks(stage, "/Lamp/arm/looks", 0.6)
    for index in range(64):
        place = Gf.Vec3d(*(0.15 * (index // 4**axis % 4 - 1.5) for axis in range(3)))
        cube = UsdGeom.Cube.Define(stage, f"/Lamp/arm/piece_{index}")
        cube.CreateSizeAttr(0.15)
        cube.CreateExtentAttr([(-0.075, -0.075, -0.075), (0.075, 0.075, 0.075)])
        cube.CreatePurposeAttr("guide")
        cube.AddTranslateOp().Set(place)
        UsdPhysics.CollisionAPI.Apply(cube.GetPrim())
    stage.Save()
    assert check_file(tmp_path / "lamp.usda") == []


@pytest.mark.parametrize(("change", "rule"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_file_is_reported_by_its_rule(tmp_path: Path, change: Callable[[Usd.Stage], None], rule: str) -> None:
    root = tmp_path / "inside"
    root.mkdir()
    (root / "notes.txt").write_text("no layer")
    (root / "sub.usda").write_text("#usda 1.0\n(\n    subLayers = [@../outside.usda@]\n)\n")
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (outside / "canary.usda").write_text('#usda 1.0\ndef Xform "CANARY"\n{\n}\n')
    (root / "linked.usda").symlink_to(outside / "canary.usda")
    (root / "linked_folder").symlink_to(outside)
    stage = good_stage(root / "lamp.usda")
    change(stage)
    stage.GetRootLayer().Save()
    findings = check_file(root / "lamp.usda")
    assert rule in rules(findings)
    assert "CANARY" not in str(findings)


def test_a_binary_layer_and_a_folder_are_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "scene.usdc"
    stage = good_stage(path)
    without_mass(stage)
    stage.Save()
    assert rules(check(path)) == {"missing-mass"}
    assert rules(check(tmp_path)) == {"missing-mass"}


@pytest.mark.parametrize(
    "text", [b"", b"hello", b'#usda 1.0\ndef "\xd5" {\n', b"#usda 1.0\n" + b"(" * 200_000, b"PXR-USDC" + bytes(200)]
)
def test_a_file_that_is_no_usd_is_a_finding_not_a_crash(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / ("x.usdc" if text.startswith(b"PXR") else "x.usda")
    path.write_bytes(text)
    assert rules(check(path)) & {"unreadable-layer", "unreadable-usd"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("metersPerUnit = 1", "metersPerUnit = </Lamp>"),
        ('upAxis = "Z"', "upAxis = [1]"),
        ("int[] faceVertexIndices = [0", "asset[] faceVertexIndices = [@a.png@, @b.png@] # ["),
        ("point3f[] points = [", 'token[] points = ["a"] # ['),
        ('xformOpOrder = ["xformOp:translate"]', 'xformOpOrder = ["xformOp:translate", "size", "xformOp:nothing"]'),
        ("double3 xformOp:translate = (0, 0, 0.2)", 'string xformOp:translate = "far"'),
    ],
)
def test_values_of_the_wrong_type_are_findings_and_stop_no_other_rule(tmp_path: Path, old: str, new: str) -> None:
    stage = good_stage(tmp_path / "lamp.usda")
    without_collider(stage)
    stage.Save()
    text = (tmp_path / "lamp.usda").read_text()
    assert old in text
    (tmp_path / "lamp.usda").write_text(text.replace(old, new))
    findings = check(tmp_path / "lamp.usda")
    assert rules(findings) & {"unreadable-value", "unreadable-layer", "wrong-unit"} or len(findings) > 1
    assert not any("ended with code" in finding.message for finding in findings)


def test_a_package_that_is_truncated_is_a_finding(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.usdz"
    data = (folder / "scene.usdz").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert any(finding.severity == "error" for finding in check(path))


def test_a_changed_file_of_a_scene_folder_is_reported(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    model = copy / "scene.xml"
    model.write_text(model.read_text().replace('mass="0.57"', 'mass="57"'))
    (copy / "structures.urdf").unlink()
    findings = check(copy)
    assert rules(findings) == {"stale-file"}
    assert sorted(finding.where for finding in findings) == ["scene.xml", "structures.urdf"]


def test_a_scene_folder_that_cannot_be_read_is_a_finding(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "scene.json").write_text("{}")
    assert "unreadable-scene" in rules(check(copy))


@pytest.mark.parametrize("name", ["nothing.usda", "photo.jpg"])
def test_a_path_that_cannot_be_checked_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"jpg")
    with pytest.raises(SceneError, match=r"expected a scene folder or a \.usd"):
        check(tmp_path / name)


def test_a_folder_with_two_layers_asks_which(tmp_path: Path) -> None:
    for name in ("a.usda", "b.usda"):
        good_stage(tmp_path / name).Save()
    with pytest.raises(SceneError, match="2 USD files"):
        check(tmp_path)
