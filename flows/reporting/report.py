"""The report: one static page from a summary and its pictures, with nothing fetched from anywhere."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from cousins.capture.captures import IMAGE_ONLY_APPS
from flows.reporting.formatting import fidelity_sentence, format_scale
from flows.reporting.pictures import PALETTE

TEMPLATES = Path(__file__).parent
_KINDS = {"photo": "photo", "segments": "objects", "twin": "twin", "fidelity": "agreement"}
"""Kinds of pictures of a view, with their headings."""
_IMAGE = re.compile(r'alt="(photo|segments|twin|fidelity) (\d+)" src="(data:[^"]*)"')
_DATA = re.compile(r'type="text/plain">([^<]*)<')


def write_report(summary: Mapping[str, Any], pictures: Path, target: Path) -> None:
    """Write the page; `pictures` is the folder that the pictures stage made."""
    images = {path.stem: _data_uri(path) for path in sorted(pictures.glob("*.jpg"))}
    model = base64.b64encode((pictures / "view.glb").read_bytes()).decode("ascii")
    target.write_text(page(summary, images, model=model, poster=_data_uri(pictures / "preview.png")), encoding="utf-8")


def page(summary: Mapping[str, Any], images: Mapping[str, str], *, model: str, poster: str) -> str:
    """Return the page's HTML; `images` holds data URIs by `photo_N`, `segments_N`, `twin_N` and `fidelity_N`."""
    capture, scale = summary["capture"], summary["scale"]
    template = Template((TEMPLATES / "report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(f"{summary['name']}: scan to twin"),
        name=escape(summary["name"]),
        subtitle=escape(f"A twin of {len(summary['assets'])} objects, {_origin(capture)}."),
        badges=_badges(summary),
        fidelity=_fidelity(summary.get("fidelity")),
        fidelity_by_object=_fidelity_by_object(summary.get("fidelity")),
        legend=_LEGEND if "fidelity_0" in images else "",
        views=_views(images) or "<p class='pad soft'>none: there are no frames</p>",
        objects="".join(_object_row(asset, summary) for asset in summary["assets"]),
        truth=_truth(summary.get("truth")),
        engines="".join(_engine_row(name, values) for name, values in summary["gates"].items()),
        agreement=escape(
            _agreement(summary["agreement"]) + _fixed(summary["fixed"]) + _hanging(summary.get("hanging", {}))
        ),
        warnings=_notes(summary["warnings"]),
        fallbacks=_notes(summary["fallbacks"]),
        capture=_capture(capture, scale, summary["refinement"]),
        findings=_findings(capture["findings"]),
        quality=_pairs((words(name), f"{value:g}") for name, value in capture["quality"].items()),
        timing=_timing(summary["cost"]["stage_seconds"], summary["cost"]["reused"]),
        cost=escape(_cost(summary["cost"])),
        digest=escape(summary["digest"]),
        model=model,
        poster=poster,
        viewer=(TEMPLATES / "viewer.js").read_text(encoding="utf-8"),
    )


def pictures_of(html: str) -> tuple[dict[str, str], str, str]:
    """Return images, model and poster of a page that `page` wrote, so that it can be written again."""
    images = {f"{kind}_{int(number) - 1}": uri for kind, number, uri in _IMAGE.findall(html)}
    model, poster = (_DATA.search(html.split(f'id="{name}"', 1)[-1]) for name in ("model", "poster"))
    return images, "" if model is None else model[1], "" if poster is None else poster[1]


def words(name: str) -> str:
    """Return a key such as `drift_m` as words with its unit: `drift [m]`."""
    units = {"m": "m", "mm": "mm", "s": "s", "deg": "°", "rad": "rad", "share": "share", "px": "px"}
    stem, _, last = name.rpartition("_")
    return f"{stem.replace('_', ' ')} [{units[last]}]" if stem and last in units else name.replace("_", " ")


def _origin(capture: Mapping[str, Any]) -> str:
    if capture["frames"] == 0:
        return f"from a {'layout scan by RoomPlan' if capture['app'] == 'RoomPlan' else 'finished mesh'}"
    return f"from {capture['frames']} frames of {capture['device']} ({capture['app']})"


def _badges(summary: Mapping[str, Any]) -> str:
    failed = sum(not result["passed"] for result in summary["gate_results"])
    gates = ("good", "all physics gates pass") if failed == 0 else ("bad", f"{failed} physics gates fail")
    if not summary["assets"]:
        gates = ("bad", "no objects to test")
    count = len(summary["warnings"])
    cells = [
        gates,
        ("", f"{len(summary['assets'])} objects"),
        ("", f"scale by {format_scale(summary['scale'])}"),
        ("warn" if count else "good", f"{count} warnings"),
        ("warn" if summary["fallbacks"] else "good", f"{len(summary['fallbacks'])} fallbacks"),
    ]
    return "".join(f'<li class="{kind}">{escape(text)}</li>' for kind, text in cells)


_LEGEND = (
    "Green: the twin is within 2 cm + 1 % of what was measured. Blue: it is missing there. Red: it stands where the "
    "phone saw free space. Unmarked: not measured, or not confirmed by other frames."
)


def _fidelity(fidelity: Mapping[str, Any] | None) -> str:
    """Return the page's first line: the verdict, and how much of what was measured the twin explains."""
    if fidelity is None:
        return ""
    kind = {"good": "good", "usable": "warn", "poor": "bad"}[fidelity["verdict"]]
    sentence = escape(fidelity_sentence(dict(fidelity)))
    advice = f"<br>{escape(fidelity['advice'])}" if fidelity["advice"] else ""
    return f'<p class="verdict"><b class="{kind}">{escape(fidelity["verdict"])}</b>: {sentence}.{advice}</p>'


def _fidelity_by_object(fidelity: Mapping[str, Any] | None) -> str:
    if fidelity is None or not fidelity["objects"]:
        return ""
    rows = "".join(
        f"<tr><td>{escape(item['name'])}</td>{_number(str(item['pixels']))}"
        + "".join(_number(f"{item[key]:.1%}") for key in ("explained", "missing", "phantom"))
        + "</tr>"
        for item in fidelity["objects"]
    )
    head = "".join(f"<th>{name}</th>" for name in ("object", "pixels", "explained", "missing", "phantom"))
    return (
        "<h2>Agreement by object</h2><div class='card scroll'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        "<p class='soft small'>Over the pixels of the compared frames that show the object. Phantom: the twin stands "
        "in front of what was measured.</p>"
    )


def _views(images: Mapping[str, str]) -> str:
    kinds = [kind for kind in _KINDS if f"{kind}_0" in images]
    rows = [f'<div class="head">{_KINDS[kind]}</div>' for kind in kinds]
    for number in range(len(images) // len(kinds) if kinds else 0):
        for kind in kinds:
            source = images[f"{kind}_{number}"]
            rows.append(f'<figure><img loading="lazy" alt="{kind} {number + 1}" src="{source}"></figure>')
    return f'<div class="views" style="--columns:{len(kinds)}">{"".join(rows)}</div>' if kinds else ""


def _called(asset: Mapping[str, Any]) -> str:
    """Return a label, and who gave it how surely where that was not geometry."""
    source, score = asset.get("label_source", "geometry"), asset.get("label_score")
    if source == "geometry":
        return str(asset["label"])
    return f"{asset['label']} ({source}{'' if score is None else f', {score:.2f}'})"


def _object_row(asset: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    order = summary["segments"].index(asset["name"]) if asset["name"] in summary["segments"] else 0
    color = "rgb({},{},{})".format(*PALETTE[order % len(PALETTE)])
    label = "" if asset["label"] == asset["name"] else f'<div class="soft small">{escape(_called(asset))}</div>'
    if asset.get("hangs_on"):
        label += f'<div class="soft small">hangs on {escape(asset["hangs_on"])}</div>'
    cells = [
        f'<td><span class="dot" style="background:{color}"></span>{escape(asset["name"])}{label}</td>',
        _number(" × ".join(f"{100 * side:.1f}" for side in asset["size_m"])),
        f"<td>{_quantity(asset['mass_kg'])}</td>",
        f"<td>{_quantity(asset['friction'])}<div class='soft small'>{escape(asset['material'])}</div></td>",
        _observed_share(asset["observed_fraction"], asset["completions"]),
        _number(str(asset["hulls"])),
        _number(_worst(summary["gate_results"], asset["name"], "drift")),
        _number(_worst(summary["gate_results"], asset["name"], "penetration")),
    ]
    return f'<tr class="pick" data-name="{escape(asset["name"])}">{"".join(cells)}</tr>'


def _observed_share(fraction: float, completions: Iterable[str]) -> str:
    meter = f"<div class='meter'><i style='width:{100 * fraction:.0f}%'></i></div>"
    return f"<td>{fraction:.0%}{meter}<div class='soft small'>{escape(', '.join(completions))}</div></td>"


def _worst(results: Iterable[Mapping[str, Any]], subject: str, gate: str) -> str:
    """Return the largest value in mm of one gate over the engines; red where it fails."""
    matching = [row for row in results if row["subject"] == subject and row["gate"] == gate and row["unit"] == "mm"]
    measured = [row for row in matching if row["value"] is not None]
    if not measured:
        return "not measured"
    worst = max(measured, key=lambda row: float(row["value"]))
    kind = "good" if all(row["passed"] for row in matching) else "bad"
    return f'<span class="{kind}">{worst["value"]:.3f}</span>'


def _quantity(value: Mapping[str, Any]) -> str:
    text = f"{value['value']:.3g}"
    span = f"{value['low']:.3g} – {value['high']:.3g}, {value['source']}"
    return f'{text}<div class="soft small">{escape(span)}</div>'


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'


def _engine_row(name: str, values: Mapping[str, Any]) -> str:
    keys = ("max_penetration_mm", "max_drift_mm", "max_drift_deg")
    cells = "".join(_number(f"{values[key]:.3f}") for key in keys)
    stable = f'<td class="{"good" if values["stable_fraction"] >= 1 else "bad"}">{values["stable_fraction"]:.1%}</td>'
    version = f'<span class="soft small">{escape(values["version"])}</span>'
    return f"<tr><td>{escape(name)} {version}</td>{cells}{stable}{_number(format(values['simulated_s'], 'g'))}</tr>"


def _agreement(values: Mapping[str, Any]) -> str:
    if values["max_mm"] is None:
        return "One engine only: nothing to compare."
    return f"Rest poses in the two engines differ by at most {values['max_mm']:.3f} mm and {values['max_deg']:.3f}°."


def _fixed(names: Sequence[str]) -> str:
    return f" Fixed in place, which counts as not stable: {len(names)} ({', '.join(names)})." if names else ""


def _hanging(supports: Mapping[str, str]) -> str:
    """Return which objects hang and on what; empty where nothing hangs."""
    names = ", ".join(f"{name} on {support}" for name, support in supports.items())
    return f" Hanging, fixed there and not counted: {len(supports)} ({names})." if supports else ""


def _notes(texts: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<ul class="notes">{items}</ul>' if items else '<p class="pad soft">none</p>'


def _findings(findings: Iterable[Mapping[str, str]]) -> str:
    kinds = {"error": "bad", "warning": "warn", "info": "soft"}
    items = [
        f'<li><span class="{kinds[finding["severity"]]}">{escape(finding["message"])}</span> '
        f"{escape(finding['fix'])}</li>"
        for finding in findings
    ]
    return f'<ul class="notes">{"".join(items)}</ul>' if items else '<p class="pad good">Nothing to do better.</p>'


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs)


def _capture(capture: Mapping[str, Any], scale: Mapping[str, Any], refinement: Mapping[str, Any]) -> str:
    color = "none" if capture["color_px"] is None else "{}×{} px".format(*capture["color_px"])
    pairs = [
        ("name", capture["name"]),
        ("device", capture["device"]),
        ("app or format", capture["app"]),
        ("scale", format_scale(dict(scale))),
    ]
    if capture["frames"] == 0:
        return _pairs([*pairs, ("frames", "none")])
    pairs += [
        ("depth frames", f"{capture['frames']} of {capture['depth_px'][0]}×{capture['depth_px'][1]} px"),
        ("colour images", f"{capture['color_frames']}, {color}"),
        ("up direction", _gravity_text(capture)),
        (
            "camera convention",
            f"fits {capture['probe']['declared_score']:.0%}, best other {capture['probe']['rival_score']:.0%}",
        ),
    ]
    return _pairs(pairs + [(words(name), _short(value)) for name, value in refinement.items() if _is_number(value)])


def _gravity_text(capture: Mapping[str, Any]) -> str:
    """Return where the up direction comes from."""
    if capture["app"] in IMAGE_ONLY_APPS:
        return "estimated from the pictures" if capture["gravity_known"] else "estimated from the pictures, unsure"
    return "measured by the device" if capture["gravity_known"] else "estimated from the depth"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _short(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.4g}"


def _timing(stages: Mapping[str, float], reused: list[str]) -> str:
    longest = max([*stages.values(), 1e-9])
    rows = []
    for name, seconds in stages.items():
        cells = "reused" if name in reused else f"{seconds:.1f} s"
        bar = f'<div class="bar" style="width:{100 * seconds / longest:.1f}%"></div>'
        rows.append(f'<tr><td>{escape(name)}</td><td class="number">{cells}</td><td style="width:60%">{bar}</td></tr>')
    return "".join(rows)


def _cost(cost: Mapping[str, Any]) -> str:
    return (
        f"{cost['seconds']:.1f} s until this page was written, {cost['orchestration']:.1f} s of it between the stages."
    )


def _truth(rows: Any) -> str:
    if not rows:
        return ""
    body = "".join(
        f"<tr><td>{escape(row['truth'])}</td><td>{escape(row['name'] or 'not found')}</td>"
        + "".join(_number("" if row[key] is None else f"{row[key]:.3g}") for key in TRUTH_COLUMNS)
        + "</tr>"
        for row in rows
    )
    head = "".join(f"<th>{title}</th>" for title in TRUTH_COLUMNS.values())
    return (
        "<h2>Against the truth</h2><p class='soft small'>The capture was simulated, so the true objects are known.</p>"
        f"<div class='card scroll'><table><thead><tr><th>true object</th><th>found as</th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


TRUTH_COLUMNS = {
    "chamfer_mm": "Chamfer distance [mm]",
    "size_error_mm": "largest size error [mm]",
    "position_error_mm": "position error [mm]",
    "volume_error": "volume error [share]",
}
"""What a row of the truth table shows, with its heading."""


def _data_uri(path: Path) -> str:
    kind = "png" if path.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
