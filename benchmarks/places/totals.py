"""Means over scenes, for each kind and for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from places.place import KINDS, ROOM_STRUCTURE

UP_DEG: Final = 1.0
"""Largest error of the way up that needs no warning [degree]."""
Scores = dict[str, Any]
"""Values by name."""
COLUMNS: Final = (
    ("found", "found", 100.0),
    ("peer_found", "peer", 100.0),
    ("merged_or_split", "m/s", 100.0),
    ("peer_merged_or_split", "peer", 100.0),
    ("chamfer_mm", "Chamfer", 1.0),
    ("perfect_chamfer_mm", "perfect", 1.0),
    ("f10mm", "F10", 100.0),
    ("volume_error", "volume", 100.0),
    ("hollow_volume_error", "hollow", 100.0),
    ("thin", "thin", 100.0),
    ("area_found", "area", 100.0),
    ("area_false", "false", 100.0),
    ("up", "up", 100.0),
    ("fixed", "fixed", 100.0),
    ("extra", "extra", 1.0),
    ("explained", "explained", 100.0),
    ("peer_explained", "peer", 100.0),
    ("phantom", "phantom", 100.0),
    ("remainder", "remainder", 100.0),
    ("wall_s", "wall s", 1.0),
    ("cpu_s", "CPU s", 1.0),
    ("peak_mb", "MB", 1.0),
)
"""Key, heading and factor of the table's columns."""


def summary(rows: Sequence[Scores]) -> Scores:
    """Return the totals of all scenes, of each kind, and of each sensor, and the scenes without a twin."""
    kinds = [kind for kind in KINDS if any(row["kind"] == kind for row in rows)]
    total = totals(rows)
    return {
        "scenes": len(rows),
        "twins": sum("fidelity" in row for row in rows),
        "chamfer_mm": total["chamfer_mm"],
        "f10mm": total["f10mm"],
        "volume_error": total["volume_error"],
        "way_up_fraction": total["up"],
        "wall_area_fraction": total["area_found"],
        "false_area_fraction": total["area_false"],
        "thin_found": total["thin"],
        "total": total,
        "by_kind": {kind: totals([row for row in rows if row["kind"] == kind]) for kind in kinds},
        "by_sensor": {
            sensor: totals([row for row in rows if row.get("sensor") == sensor])
            for sensor in sorted({row["sensor"] for row in rows if "sensor" in row})
        },
        "failed": {
            f"{row['kind']} {row['seed']}": row.get("crashed", row.get("refused")) for row in rows if "cost" not in row
        },
    }


def totals(rows: Sequence[Scores]) -> Scores:
    """Return the means over all objects, areas and twins of scenes; None where there is nothing to measure."""
    twins = [row for row in rows if "fidelity" in row]
    objects = [item for row in rows for item in row["objects"] if not item["thin"]]
    peer = [item for row in twins for item in row["peer"]["objects"] if not item["thin"]]
    perfect = [
        row["peer"]["perfect_masks"][item["object"]] for row in twins for item in row["objects"] if not item["thin"]
    ]
    chamfer, perfect_chamfer = _mean(objects, "chamfer_mm"), _mean(perfect, "chamfer_mm")
    return {
        "scenes": len(rows),
        "objects": len(objects),
        "found": _mean(objects, "found"),
        "merged_or_split": _mean(objects, lambda item: item["merged"] or item["split"]),
        "missed": _mean(objects, "missed"),
        "peer_found": _mean(peer, "found"),
        "peer_merged_or_split": _mean(peer, lambda item: item["merged"] or item["split"]),
        "chamfer_mm": chamfer,
        "perfect_chamfer_mm": perfect_chamfer,
        "chamfer_ratio": None if not chamfer or not perfect_chamfer else round(chamfer / perfect_chamfer, 4),
        "f10mm": _mean(objects, "f10mm"),
        "perfect_f10mm": _mean(perfect, "f10mm"),
        "volume_error": _mean(objects, "volume_error"),
        "hollow_volume_error": _mean([item for item in objects if item["hollow"]], "volume_error"),
        "thin": _thin(rows),
        **_areas(twins),
        **_up([row for row in twins if not row["gravity_known"]]),
        "fixed": _ratio(sum(row["fixed"] for row in twins), sum(row["assets"] for row in twins)),
        "extra": _mean(twins, "extra"),
        "explained": _mean(twins, lambda row: row["fidelity"]["explained"]),
        "phantom": _mean(twins, lambda row: row["fidelity"]["phantom"]),
        "remainder": _mean(twins, lambda row: row["fidelity"]["remainder"]),
        "peer_explained": _mean(twins, lambda row: row["peer"]["fidelity"]["explained"]),
        "wall_s": _median(twins, "wall_s"),
        "cpu_s": _median(twins, "cpu_s"),
        "peak_mb": max((row["cost"]["peak_mb"] for row in twins), default=None),
    }


def table(result: Scores) -> str:
    """Return the kinds and the total as aligned text, shares in percent."""
    lines = [" ".join([f"{'kind':10}", *(f"{heading:>9}" for _, heading, _ in COLUMNS)])]
    for name, row in [*result["by_kind"].items(), ("all", result["total"]), *result["by_sensor"].items()]:
        cells = [f"{'-':>9}" if row[key] is None else f"{factor * row[key]:9.1f}" for key, _, factor in COLUMNS]
        lines.append(" ".join([f"{name[:10]:10}", *cells]))
    lines += [f"{name}: {str(reason)[-300:]}" for name, reason in result["failed"].items()]
    return "\n".join(lines)


def _thin(rows: Sequence[Scores]) -> float | None:
    """Return the share of thin things that are found or at whose place a warning names something."""
    is_known = [
        item["found"] or item["object"] in row.get("thin_named", ())
        for row in rows
        for item in row["objects"]
        if item["thin"]
    ]
    return _ratio(sum(is_known), len(is_known))


def _areas(twins: Sequence[Scores]) -> Scores:
    """Return the shares of true area of floors and walls that is found, and that is false, ours and the peer's."""
    result: Scores = {}
    for prefix, structures in (
        ("", [row["structure"] for row in twins]),
        ("peer_", [row["peer"]["structure"] for row in twins]),
    ):
        parts = [structure[kind] for structure in structures for kind in ROOM_STRUCTURE if kind in structure]
        true = sum(part["true_m2"] for part in parts)
        result[f"{prefix}area_found"] = _ratio(sum(part["found_m2"] for part in parts), true)
        result[f"{prefix}area_false"] = _ratio(sum(part["false_m2"] for part in parts), true)
    return result


def _up(twins: Sequence[Scores]) -> Scores:
    """Return the share of twins without gravity whose way up is right or doubted, and the largest error of the rest."""
    doubted = [row["up_unsure"] for row in twins]
    right = [row["up_error_deg"] <= UP_DEG for row in twins]
    return {
        "up": _ratio(sum(a or b for a, b in zip(doubted, right, strict=True)), len(twins)),
        "up_right": _ratio(sum(right), len(twins)),
        "up_worst_deg": max((row["up_error_deg"] for row in twins if not row["up_unsure"]), default=None),
    }


def _mean(rows: Sequence[Scores], key: str | Callable[[Scores], Any]) -> float | None:
    values = [row[key] if isinstance(key, str) else key(row) for row in rows]
    return round(float(np.mean(values)), 4) if values else None


def _median(twins: Sequence[Scores], key: str) -> float | None:
    values = [row["cost"][key] for row in twins if not row["cost"]["resumed"]]
    return round(float(np.median(values)), 1) if values else None


def _ratio(part: float, total: float) -> float | None:
    return round(part / total, 4) if total else None
