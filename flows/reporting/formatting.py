"""Results in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def format_scan(result: dict[str, Any]) -> str:
    """Return what a scan made, in a few lines."""
    lines = [*format_twin(result), "", f"scene   {result['scene']}/scene.usda"]
    lines += [
        f"report  {result['scene']}/report.html",
        f"time    {result['seconds']:.1f} s, {result['peak_rss_mb']:.0f} MB",
    ]
    return "\n".join(lines)


def format_twin(result: dict[str, Any]) -> list[str]:
    """Return objects, gates, warnings and fallbacks of a twin as lines."""
    lines = [f"{result['name']}: {len(result['assets'])} objects, digest {result['digest'][:12]}"]
    lines += [*format_fidelity(result.get("fidelity")), ""]
    lines += table(
        ["object", "label", "size cm", "mass kg", "seen", "hulls"],
        [
            [
                asset["name"],
                asset["label"],
                "×".join(f"{100 * side:.1f}" for side in asset["size_m"]),
                "{value:.2g} ({low:.2g}–{high:.2g}, {source})".format(**asset["mass_kg"]),
                f"{asset['observed_fraction']:.0%}",
                str(asset["hulls"]),
            ]
            for asset in result["assets"]
        ],
    )
    lines.append("")
    for engine, gate in result["gates"].items():
        lines.append(
            f"{engine:<9} penetration {gate['max_penetration_mm']:.3f} mm, drift {gate['max_drift_mm']:.2f} mm, "
            f"stable {gate['stable_fraction']:.0%} of {_standing_count(result)} objects{_fixed_count(result)}"
        )
    lines += format_hanging(result)
    lines += [f"warning: {text}" for text in result["warnings"]]
    lines += [f"fallback: {text}" for text in result["fallbacks"]]
    return lines


def format_fidelity(fidelity: dict[str, Any] | None) -> list[str]:
    """Return the verdict and how much the twin explains as lines; none where there were no frames."""
    if fidelity is None:
        return []
    lines = [f"{fidelity['verdict']}: {fidelity_sentence(fidelity)}"]
    return lines + ([fidelity["advice"]] if fidelity["advice"] else [])


def fidelity_sentence(fidelity: dict[str, Any]) -> str:
    """Return how much of what the frames measured a twin explains, as one sentence."""
    frames = f"{fidelity['frames']} frames" if fidelity["frames"] > 1 else "its one frame"
    if not fidelity["on_other_views"]:
        basis = f"{frames}; not measured on other views"
    elif fidelity["held_out"]:
        basis = f"{frames} that it was not made from"
    else:
        basis = f"{frames}, all used to make it"
    fused = fidelity.get("plain")  # absent in reports of 0.2
    plain = "" if fused is None else f" (plain fusion of the same frames {fused['explained']:.1%})"
    return (
        f"explains {fidelity['explained']:.1%} of what the phone measured{plain}, {fidelity['remainder']:.0%} of that "
        f"by surface that was not understood; {fidelity['phantom']:.1%} stands where the phone saw free space ({basis})"
    )


def format_scale(scale: dict[str, Any]) -> str:
    """Return where the metre comes from, and its error: in percent where measured, as factors where assumed."""
    if scale["source"].startswith("assumed") and "low" in scale:
        interval = f"true lengths are {scale['low']:.2g} to {scale['high']:.2g} times these (90 % confidence)"
        return f"{scale['source']}; {interval}"
    return f"{scale['source']}, ±{100 * scale['error']:.1f} %"


def _fixed_count(result: dict[str, Any]) -> str:
    """Return how many objects were fixed in place, which counts as not stable."""
    return f", {len(result['fixed'])} of them fixed in place" if result["fixed"] else ""


def format_hanging(result: dict[str, Any]) -> list[str]:
    """Return which objects hang and on what, as a line; none where nothing hangs."""
    hanging = result.get("hanging", {})
    if not hanging:
        return []
    names = ", ".join(f"{name} on {support}" for name, support in hanging.items())
    return [f"hanging   {len(hanging)}, fixed where they hang: {names}"]


def _standing_count(result: dict[str, Any]) -> int:
    """Return the number of objects that need to stand: all but those that hang."""
    return len(result["assets"]) - len(result.get("hanging", {}))


def format_truth(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return how far each true object is from its twin, as lines."""
    rows_of_truth = [
        [
            row["truth"],
            row["name"] or "not found",
            *("" if row[key] is None else f"{row[key]:.2f}" for key in ("chamfer_mm", "size_error_mm")),
            "" if row["volume_error"] is None else f"{row['volume_error']:+.0%}",
        ]
        for row in rows
    ]
    return table(["truth", "found as", "Chamfer mm", "size error mm", "volume"], rows_of_truth)


def format_findings(findings: Iterable[dict[str, Any]]) -> list[str]:
    """Return findings as lines, each with its mending."""
    return [
        f"{finding['severity']}: {finding['where']}: {finding['message']} {finding['fix']} [{finding['rule']}]"
        for finding in findings
    ]


def format_pack(result: dict[str, Any]) -> list[str]:
    """Return what a pack holds as lines."""
    splits = ", ".join(f"{split} {count}" for split, count in result["splits"].items())
    lines = [
        f"{result['name']}: {result['cousins']} cousins ({splits})",
        f"digest    sha256:{result['digest']}",
        f"size      {size_text(result['bytes'])} in {result['files']} files",
        f"made by   {result['generator']}, seed {result['seed']}",
        *(f"from      {origin} {digest[:12]}" for origin, digest in sorted(result["lineage"].items())),
        *(f"covers    {axis} {value:.0%}" for axis, value in sorted(result["coverage"].items())),
        *(f"licence   {name}: {count} variants" for name, count in sorted(result["licences"].items())),
    ]
    if result.get("here", result["cousins"]) != result["cousins"]:
        lines.append(f"here      {result['here']} of them")
    rejected = sorted(((sum(axes.values()), reason) for reason, axes in result["rejections"].items()), reverse=True)
    lines += [f"refused   {count:6d}  {reason}" for count, reason in rejected]
    lines += [f"warning: {text}" for text in result["warnings"]]
    return lines + [f"fallback: {text}" for text in result["fallbacks"]]


def size_text(count: int) -> str:
    """Return a size in kB or MB."""
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.1f} kB"


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return rows of cells as lines with even columns."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
