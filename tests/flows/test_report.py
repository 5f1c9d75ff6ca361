"""The page shows every warning and fallback, escapes user input, and needs no network."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from cousins.meshes import Mesh
from flows.reporting.formatting import fidelity_sentence, format_fidelity
from flows.reporting.glb import Part, fit_glb, glb
from flows.reporting.report import page, pictures_of, words

ASSET = {
    "name": "object_0",
    "label": "<b>mug</b> & co",
    "size_m": [0.1, 0.08, 0.12],
    "position_m": [0.0, 0.0, 0.06],
    "mass_kg": {"value": 0.3, "low": 0.2, "high": 0.4, "source": "material table"},
    "friction": {"value": 0.5, "low": 0.3, "high": 0.7, "source": "material table"},
    "restitution": {"value": 0.1, "low": 0.0, "high": 0.3, "source": "default"},
    "material": "ceramic",
    "hulls": 7,
    "observed_fraction": 0.83,
    "completions": ["support contact"],
    "joints": [],
}
GATES = {
    "version": "1.0",
    "max_penetration_mm": 0.01,
    "max_settle_mm": 0.1,
    "max_drift_mm": 7.0,
    "max_drift_deg": 0.2,
    "stable_fraction": 0.0,
    "simulated_s": 30.0,
}
DRIFT = {"gate": "drift", "engine": "mujoco", "subject": "object_0", "value": 7.0, "threshold": 5.0, "unit": "mm"}
SUMMARY: dict[str, Any] = {
    "name": "desk <script>alert(1)</script>",
    "digest": "0" * 64,
    "segments": ["object_0"],
    "assets": [ASSET],
    "gates": {"mujoco": GATES},
    "agreement": {"max_mm": None, "max_deg": None},
    "fixed": [],
    "gate_results": [DRIFT | {"passed": False}],
    "scale": {"source": "lidar", "error": 0.01},
    "warnings": ["The left side was <not> seen."],
    "fallbacks": ["object_0: a box replaced the pieces & more."],
    "refinement": {"kept": True, "residual_before_m": 0.068},
    "capture": {
        "name": "desk",
        "device": "iPhone",
        "app": "app",
        "frames": 3,
        "color_frames": 1,
        "color_px": [640, 480],
        "depth_px": [256, 192],
        "gravity_known": True,
        "probe": {"declared_score": 0.9, "rival_score": 0.1},
        "quality": {"loop_residual_mm": 3.0},
        "findings": [{"severity": "warning", "message": "Blurred.", "fix": "Move slower."}],
    },
    "cost": {
        "seconds": 9.0,
        "orchestration": 0.5,
        "stage_seconds": {"ingest": 1.0, "refine": 2.0},
        "reused": ["ingest"],
    },
}
IMAGES = {f"{kind}_0": f"data:image/jpeg;base64,{kind}" for kind in ("photo", "segments", "twin")}


def html() -> str:
    return page(SUMMARY, IMAGES, model="TU9ERUw=", poster="data:image/png;base64,UE9TVEVS")


def test_every_warning_and_fallback_is_on_the_page() -> None:
    text = html()
    assert "The left side was &lt;not&gt; seen." in text
    assert "object_0: a box replaced the pieces &amp; more." in text
    assert "Blurred." in text
    assert "Move slower." in text
    assert "1 physics gates fail" in text
    assert "reused" in text


def test_what_users_typed_is_escaped() -> None:
    assert "<script>alert" not in html()
    assert "<b>mug</b>" not in html()
    assert "&lt;b&gt;mug&lt;/b&gt; &amp; co" in html()


def test_the_page_is_well_formed_and_fetches_nothing() -> None:
    opened: list[str] = []
    addresses: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "img"):
                opened.append(tag)
            addresses.extend(value or "" for name, value in attrs if name in ("src", "href"))

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Reader().feed(html())
    assert opened == []
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"https?://", html())


def test_a_page_gives_its_pictures_back() -> None:
    assert pictures_of(html()) == (IMAGES, "TU9ERUw=", "data:image/png;base64,UE9TVEVS")


def test_keys_are_shown_as_words_with_units() -> None:
    assert words("loop_residual_mm") == "loop residual [mm]"
    assert words("frames") == "frames"


def box(*, textured: bool = False) -> Mesh:
    mesh = Mesh.from_trimesh(trimesh.creation.box(extents=(0.2, 0.4, 0.6)))
    if not textured:
        return mesh
    noise = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    uv = np.random.default_rng(1).uniform(size=(len(mesh.vertices), 2))
    return Mesh(vertices=mesh.vertices, faces=mesh.faces, uv=uv, texture=noise)


def test_a_glb_is_y_up_has_flat_sides_and_the_same_bytes_each_time() -> None:
    data = glb([Part(name="box", mesh=box())])
    assert data == glb([Part(name="box", mesh=box())])
    loaded = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    (mesh,) = loaded.geometry.values()
    np.testing.assert_allclose(mesh.extents, [0.2, 0.6, 0.4], atol=1e-6)
    assert len(mesh.vertices) == 24
    assert mesh.volume > 0.0


def test_a_glb_keeps_group_and_texture() -> None:
    data = glb([Part(name="a", mesh=box(textured=True)), Part(name="a", mesh=box(), group="collision", tint=(1, 0, 0))])
    head = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    assert [node["extras"]["group"] for node in head["nodes"]] == ["visual", "collision"]
    assert head["materials"][1]["pbrMetallicRoughness"]["baseColorFactor"] == [1.0, 0.0, 0.0, 1.0]
    view = head["bufferViews"][head["images"][0]["bufferView"]]
    start = 20 + int.from_bytes(data[12:16], "little") + 8 + view["byteOffset"]
    assert Image.open(io.BytesIO(data[start : start + view["byteLength"]])).size == (1024, 1024)


def test_textures_shrink_until_a_glb_fits() -> None:
    parts = [Part(name="a", mesh=box(textured=True))]
    assert len(fit_glb(parts, 300_000)) <= 300_000 < len(glb(parts))


FIDELITY: dict[str, Any] = {
    "frames": 6,
    "held_out": True,
    "on_other_views": True,
    "pixels": 1000,
    "explained": 0.912,
    "missing": 0.062,
    "phantom": 0.026,
    "color_db": 17.7,
    "remainder": 0.43,
    "plain": {"voxel_m": 0.01, "explained": 0.905, "missing": 0.06, "phantom": 0.035, "color_db": 18.1},
    "surface_m2": 9.1,
    "unexplained_m2": 0.6,
    "objects": [{"name": "object_0", "pixels": 90, "explained": 0.5, "missing": 0.3, "phantom": 0.2}],
    "movable_objects": 7,
    "fixed_objects": 6,
    "verdict": "usable",
    "advice": "Look at this: 2.6% stands where the phone saw <free> space.",
}


def test_the_first_line_of_the_page_is_how_much_the_twin_explains() -> None:
    html = page(
        SUMMARY | {"fidelity": FIDELITY}, IMAGES | {"fidelity_0": "data:image/jpeg;base64,x"}, model="", poster=""
    )
    body = html[html.index("<h1>") :]
    verdict = body.index(
        "explains 91.2% of what the phone measured (plain fusion of the same frames 90.5%), 43% of that by surface "
        "that was not understood"
    )
    assert verdict < body.index("badges")
    assert "2.6% stands where the phone saw free space (6 frames that it was not made from)" in body
    assert "&lt;free&gt;" in body
    assert "Agreement by object" in body
    assert "--columns:4" in body
    assert pictures_of(html)[0].keys() == {"photo_0", "segments_0", "twin_0", "fidelity_0"}


def test_a_single_view_and_a_capture_without_held_out_frames_say_so() -> None:
    single = FIDELITY | {"frames": 1, "held_out": False, "on_other_views": False, "plain": None}
    assert "plain fusion" not in fidelity_sentence(single)
    assert fidelity_sentence(single).endswith("(its one frame; not measured on other views)")
    few = FIDELITY | {"held_out": False}
    assert fidelity_sentence(few).endswith("(6 frames, all used to make it)")
    assert format_fidelity(None) == []
    assert format_fidelity(FIDELITY)[0].startswith("usable: explains 91.2%")
