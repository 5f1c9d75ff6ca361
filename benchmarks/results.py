"""Run the benchmarks and keep what they printed: `benchmarks/results/NAME.json`, and all of it as RESULTS.md.

Each row of the table is one bar: what was wanted, what was measured, whether it is met. A row whose program has not
been run says so. Nothing is rounded in our favour: `met` compares the printed value with the bar.

    python benchmarks/results.py                      # the table anew from the kept numbers
    python benchmarks/results.py fusion chair         # run these first
    python benchmarks/results.py all
    python benchmarks/results.py vary --peer ~/peers/bin/python   # what it does not know goes to the programs
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT = HERE / "results"
PROGRAMS = (
    "fusion",
    "segmentation",
    "sam_oracle",
    "pose_size",
    "chair",
    "gates",
    "reconstruction",
    "twins",
    "conventions",
    "readers",
    "hostile",
    "real_files",
    "photos",
    "check_foreign",
    "vary",
    "validity",
    "determinism",
    "throughput",
    "soak",
    "packs",
    "affordances",
    "twin_vs_cousins",
    "replay",
)
BUSY_LOAD = 1.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One bar."""

    program: str
    what: str
    bar: str
    value: Callable[[dict[str, Any]], Any]
    met: Callable[[Any], bool] | None = None
    digits: int = 3


def at(*path: str) -> Callable[[dict[str, Any]], Any]:
    """Return the getter of a nested key."""

    def get(result: dict[str, Any]) -> Any:
        for key in path:
            result = result[key]
        return result

    return get


def alone(key: str) -> Callable[[dict[str, Any]], float]:
    """Return the mean over objects that stood alone."""
    return lambda result: _mean(result, key, "alone ")


def clutter(key: str) -> Callable[[dict[str, Any]], float]:
    """Return the mean over objects in clutter of five."""
    return lambda result: _mean(result, key, "clutter ")


def _mean(result: dict[str, Any], key: str, kind: str) -> float:
    found = [row[key] for name, row in result["by_object"].items() if name.startswith(kind)]
    return sum(found) / max(len(found), 1)


def most(limit: float) -> Callable[[Any], bool]:
    """Return whether a value is at most the limit."""
    return lambda value: value is not None and float(value) <= limit


def least(limit: float) -> Callable[[Any], bool]:
    """Return whether a value is at least the limit."""
    return lambda value: value is not None and float(value) >= limit


def points(split: str, key: str) -> Callable[[dict[str, Any]], float]:
    """Return the getter of cousins less twin in a split, in points."""
    return lambda result: 100.0 * float(result["differences"]["cousins - twin"][split][key])


def interval(found: dict[str, Any]) -> str:
    """Return a difference with its interval, in points."""
    return "{value:.0f} [{low:.0f}, {high:.0f}]".format(
        **{name: 100.0 * found[name] for name in ("value", "low", "high")}
    )


def three_arms(split: str) -> Callable[[dict[str, Any]], str]:
    """Return the getter of the success of all three arms in a split, in percent."""
    return lambda result: "; ".join(f"{100.0 * one['p']:.0f}" for one in result["splits"][split].values())


def replayed(arm: str) -> Callable[[dict[str, Any]], str]:
    """Return the getter of an arm's success with its interval, in percent."""
    return lambda result: "{p:.0%} of {n} [{low:.0%}, {high:.0%}]".format(**result["shares"][arm]["success_at_end"])


def replay_gain(groups: str) -> Callable[[dict[str, Any]], str]:
    """Return the getter of prioritised less even replay with its interval, in points."""

    def get(result: dict[str, Any]) -> str:
        found = result["prioritised_less_uniform"][groups]
        return " ".join([f"{100 * found['value']:+.1f}", f"[{100 * found['low']:+.1f}, {100 * found['high']:+.1f}]"])

    return get


ROWS = (
    Row(
        program="reconstruction",
        what="Chamfer, mean over objects alone and in clutter [mm]",
        bar="≤ 3",
        value=at("chamfer_mm"),
        met=most(3.0),
    ),
    Row(program="reconstruction", what="F-score at 10 mm", bar="≥ 0.96", value=at("f10mm"), met=least(0.96)),
    Row(program="reconstruction", what="F-score at 5 mm", bar="≥ 0.88", value=at("f5mm"), met=least(0.88)),
    Row(
        program="reconstruction",
        what="volume error, mean",
        bar="≤ 0.15",
        value=at("volume_error"),
        met=most(0.15),
    ),
    Row(program="reconstruction", what="alone: Chamfer [mm]", bar="", value=alone("chamfer_mm")),
    Row(program="reconstruction", what="alone: volume error", bar="", value=alone("volume_error")),
    Row(program="reconstruction", what="clutter: Chamfer [mm]", bar="", value=clutter("chamfer_mm")),
    Row(program="reconstruction", what="clutter: volume error", bar="", value=clutter("volume_error")),
    Row(program="reconstruction", what="objects not found or not rebuilt", bar="", value=at("missed")),
    Row(
        program="reconstruction",
        what="peer, plain TSDF with perfect masks: Chamfer [mm]",
        bar="",
        value=at("peer", "chamfer_mm"),
    ),
    Row(program="reconstruction", what="peer: F-score at 10 mm", bar="", value=at("peer", "f10mm")),
    Row(program="reconstruction", what="peer: F-score at 5 mm", bar="", value=at("peer", "f5mm")),
    Row(program="segmentation", what="overlap F, single views", bar="≥ 0.90", value=at("overlap_f"), met=least(0.9)),
    Row(
        program="segmentation",
        what="objects with F ≥ 0.75",
        bar="≥ 0.80",
        value=at("f75_fraction"),
        met=least(0.8),
    ),
    Row(
        program="sam_oracle",
        what="SAM's proposals, oracle masks, ten in clutter: instance F at overlap 0.5",
        bar="≥ 0.97",
        value=at("instance_f"),
        met=least(0.97),
    ),
    Row(
        program="sam_oracle",
        what="geometry alone: instance F at overlap 0.5",
        bar="",
        value=at("geometric", "instance_f"),
    ),
    Row(program="sam_oracle", what="oracle masks: instance F at overlap 0.75", bar="", value=at("instance_f75")),
    Row(
        program="sam_oracle",
        what="geometry alone: instance F at overlap 0.75",
        bar="",
        value=at("geometric", "instance_f75"),
    ),
    Row(program="sam_oracle", what="oracle masks: overlap F over pixels", bar="", value=at("overlap_f")),
    Row(program="sam_oracle", what="geometry alone: overlap F over pixels", bar="", value=at("geometric", "overlap_f")),
    Row(program="chair", what="bodies that the chair falls into", bar="1", value=at("bodies"), met=lambda v: v == 1),
    Row(program="chair", what="legs 10 cm above the floor", bar="4", value=at("legs_at_10cm"), met=lambda v: v == 4),
    Row(
        program="chair",
        what="parts above the seat: back and arms' posts",
        bar="≥ 3",
        value=at("parts_above_seat"),
        met=least(3),
    ),
    Row(
        program="chair",
        what="seat height off the raw depth's [mm]",
        bar="≤ 15",
        value=lambda r: 1000.0 * abs(r["seat_height_m"] - r["seat_height_depth_m"]),
        met=most(15.0),
    ),
    Row(
        program="chair",
        what="app's surface to ours, median [mm]",
        bar="≤ 4.5",
        value=at("app_to_ours_median_mm"),
        met=most(4.5),
    ),
    Row(
        program="chair",
        what="app's surface to ours, 90th percentile [mm]",
        bar="≤ 25",
        value=at("app_to_ours_p90_mm"),
        met=most(25.0),
    ),
    *(
        Row(program="chair", what=f"{what} [mm]", bar="", value=at(key))
        for what, key in (
            ("our surface to the app's, median", "ours_to_app_median_mm"),
            ("our surface to the app's, 90th percentile", "ours_to_app_p90_mm"),
            ("peer, plain TSDF: app's surface to it, median", "app_to_plain_tsdf_median_mm"),
            ("peer: app's surface to it, 90th percentile", "app_to_plain_tsdf_p90_mm"),
            ("peer: its surface to the app's, median", "plain_tsdf_to_app_median_mm"),
            ("peer: its surface to the app's, 90th percentile", "plain_tsdf_to_app_p90_mm"),
            ("with the floor: our surface to the app's, median", "ours_with_floor_to_app_median_mm"),
            ("with the floor: our surface to the app's, 90th percentile", "ours_with_floor_to_app_p90_mm"),
            ("with the floor, peer: its surface to the app's, median", "plain_tsdf_with_floor_to_app_median_mm"),
            ("with the floor, peer: 90th percentile", "plain_tsdf_with_floor_to_app_p90_mm"),
        )
    ),
    Row(
        program="chair",
        what="stable objects, the worse engine",
        bar="1",
        value=lambda r: min(one["stable_fraction"] for one in r["gates"].values()),
        met=least(1.0),
    ),
    Row(program="chair", what="seconds, end to end", bar="≤ 60", value=at("seconds"), met=most(60.0), digits=1),
    Row(program="chair", what="peak memory [MB]", bar="≤ 3000", value=at("peak_rss_mb"), met=most(3000.0), digits=0),
    Row(
        program="chair",
        what="same scene digest in two processes",
        bar="yes",
        value=at("same_digest"),
        met=lambda value: value is True,
    ),
    Row(
        program="pose_size",
        what="largest position error, one view [mm]",
        bar="≤ 15",
        value=at("position_mm"),
        met=most(15.0),
        digits=1,
    ),
    Row(program="pose_size", what="largest size error", bar="≤ 0.10", value=at("size_error"), met=most(0.1)),
    Row(
        program="twins",
        what="captures that ended in a scene",
        bar="all",
        value=lambda r: f"{r['scenes']} of {r['captures']}",
        met=lambda value: len(set(value.split(" of "))) == 1,
    ),
    Row(
        program="twins",
        what="deepest overlap at t = 0, both engines [mm]",
        bar="≤ 1",
        value=lambda r: max(r["max_penetration_mm_pybullet"], r["max_penetration_mm_mujoco"]),
        met=most(1.0),
        digits=4,
    ),
    Row(
        program="twins",
        what="stable movable objects, PyBullet",
        bar="≥ 0.998",
        value=at("stable_fraction_pybullet"),
        met=least(0.998),
    ),
    Row(
        program="twins",
        what="stable movable objects, MuJoCo",
        bar="≥ 0.998",
        value=at("stable_fraction_mujoco"),
        met=least(0.998),
    ),
    Row(
        program="twins",
        what="objects fixed in place, of all",
        bar="",
        value=lambda r: f"{r['fixed_objects']} of {r['objects']}",
    ),
    Row(
        program="check_foreign",
        what="planted faults that `cousins check` finds in files of others",
        bar="all",
        value=lambda r: r["found"] / r["planted"],
        met=least(1.0),
    ),
    Row(program="check_foreign", what="planted faults", bar="", value=at("planted")),
    Row(program="check_foreign", what="files of others", bar="", value=at("files")),
    Row(
        program="check_foreign", what="false alarms on them as they are", bar="0", value=at("false_alarms"), met=most(0)
    ),
    Row(program="check_foreign", what="faults that they have themselves", bar="", value=at("true_alarms")),
    Row(program="check_foreign", what="spoilt files", bar="", value=at("spoilt", "files")),
    Row(
        program="check_foreign",
        what="spoilt files on which our own rules fail",
        bar="0",
        value=at("spoilt", "ours"),
        met=most(0),
    ),
    Row(program="twins", what="engines agree within [mm]", bar="≤ 5", value=at("agreement_max_mm"), met=most(5.0)),
    Row(program="twins", what="engines agree within [°]", bar="≤ 3", value=at("agreement_max_deg"), met=most(3.0)),
    Row(program="twins", what="objects found off the true number, mean", bar="", value=at("count_error")),
    Row(program="twins", what="wall seconds of a scan, median", bar="", value=at("wall_s_median"), digits=1),
    Row(
        program="gates",
        what="generated layouts that pass every gate",
        bar="",
        value=lambda r: f"{r['passed']} of {r['scenes']}",
    ),
    Row(
        program="gates",
        what="stable objects in them, the worse engine",
        bar="≥ 0.998",
        value=lambda r: min(one["stable_fraction"] for one in r["gates"].values()),
        met=least(0.998),
    ),
    Row(
        program="fusion",
        what="frames per CPU second by the faster Open3D volume, depth",
        bar="≥ 2.5",
        value=at("frames_per_cpu_s_ratio"),
        met=least(2.5),
        digits=2,
    ),
    Row(
        program="fusion",
        what="the same with colour",
        bar="≥ 1.5",
        value=at("frames_per_cpu_s_color_ratio"),
        met=least(1.5),
        digits=2,
    ),
    Row(
        program="fusion",
        what="frames per wall second, depth",
        bar="≥ 2.5",
        value=at("frames_per_s_ratio"),
        met=least(2.5),
        digits=2,
    ),
    Row(
        program="fusion",
        what="the same with colour",
        bar="≥ 1.5",
        value=at("frames_per_s_color_ratio"),
        met=least(1.5),
        digits=2,
    ),
    Row(program="fusion", what="memory, depth", bar="≤ 0.6", value=at("memory_ratio"), met=most(0.6), digits=2),
    Row(
        program="fusion",
        what="memory, with colour",
        bar="≤ 0.6",
        value=at("memory_color_ratio"),
        met=most(0.6),
        digits=2,
    ),
    Row(
        program="fusion",
        what="70 m corridor, added memory [MB]",
        bar="",
        value=at("corridor_70m_added_rss_mb"),
        digits=0,
    ),
    Row(
        program="conventions",
        what="broken conventions that are caught",
        bar="1",
        value=at("caught_share"),
        met=least(1),
    ),
    Row(program="conventions", what="and called by their names", bar="1", value=at("named_share"), met=least(1)),
    Row(
        program="conventions",
        what="good captures that are refused",
        bar="0",
        value=lambda r: f"{r['false_alarms']} of {r['good_captures']}",
        met=lambda value: value.startswith("0 "),
    ),
    Row(
        program="readers",
        what="formats whose twins agree with the canonical capture's within 2 mm and 0.2°",
        bar="all",
        value=lambda r: f"{r['agreeing']} of {r['kinds']}",
        met=lambda value: len(set(value.split(" of "))) == 1,
    ),
    *(
        Row(program="readers", what=f"{what}, the worst format", bar=f"≤ {limit}", value=at(key), met=most(limit))
        for what, key, limit in (
            ("objects' places [mm]", "position_mm", 2.0),
            ("objects' directions [°]", "angle_deg", 0.2),
            ("objects' sizes [mm]", "size_mm", 2.0),
            ("heights of floor and tables [mm]", "structure_mm", 2.0),
            ("way up, where the format does not tell it [°]", "tilt_deg", 0.2),
        )
    ),
    Row(
        program="hostile",
        what="spoilt exports that ended in an error not ours",
        bar="0",
        value=lambda r: f"{r['other_errors']} of {r['mutations']}",
        met=lambda value: value.startswith("0 "),
    ),
    Row(program="hostile", what="kinds of export", bar="", value=at("kinds")),
    Row(
        program="hostile", what="99th percentile, the slowest kind [CPU s]", bar="< 1", value=at("p99_s"), met=most(1.0)
    ),
    Row(program="hostile", what="the slowest of all [CPU s]", bar="", value=at("max_s")),
    Row(program="hostile", what="peak memory [MB]", bar="< 1000", value=at("peak_rss_mb"), met=most(1000.0), digits=0),
    Row(
        program="hostile",
        what="spoilt photos, films and exports of photos that ended in an error not ours",
        bar="0",
        value=lambda r: " of ".join(
            str(sum(kind[key] for kind in r["photos"].values())) for key in ("other_errors", "mutations")
        ),
        met=lambda value: value.startswith("0 "),
    ),
    Row(
        program="hostile",
        what="99th percentile, twenty spoilt photos or one film, their process included [CPU s]",
        bar="< 1",
        value=lambda r: max(r["photos"][kind]["p99_s"] for kind in ("photos_jpeg", "photos_heic", "film")),
        met=most(1.0),
    ),
    Row(
        program="hostile",
        what="peak memory of the processes that decode them and find places [MB]",
        bar="< 1000",
        value=lambda r: max(kind["peak_rss_mb"] for kind in r["photos"].values()),
        met=most(1000.0),
        digits=0,
    ),
    Row(
        program="real_files",
        what="files that ended in a scene or a refusal that says what to do",
        bar="all",
        value=lambda r: f"{r['given'] - r['neither']} of {r['given']}, {r['refused']} refused",
        met=lambda value: len(set(value.split(",")[0].split(" of "))) == 1,
    ),
    Row(
        program="real_files",
        what="scenes that hold all gates",
        bar="all",
        value=lambda r: f"{r['gates_hold']} of {r['scenes']}",
        met=lambda value: len(set(value.split(" of "))) == 1,
    ),
    Row(
        program="real_files",
        what="objects fixed in place, of all",
        bar="",
        value=lambda r: f"{r['fixed_objects']} of {r['objects']}",
    ),
    Row(program="real_files", what="longest, of those that ended [CPU s]", bar="", value=at("most_cpu_s"), digits=0),
    Row(program="real_files", what="longest [s]", bar="≤ 300", value=at("longest_s"), met=most(300.0), digits=0),
    *(
        Row(program="photos", what=f"simulated {kind}: {what}", bar="", value=at(of, key))
        for kind, of in (("photos", "photos"), ("film", "film"))
        for what, key in (
            ("pictures taken", "pictures"),
            ("pictures with place and depth", "placed"),
            ("cameras' places off the truth, median [mm]", "camera_mm"),
            ("way up off the truth [°]", "up_deg"),
            ("near pixels with depth", "known_share"),
            ("their depth off the truth, median [mm]", "depth_median_mm"),
            ("the same, 90th percentile [mm]", "depth_90_mm"),
        )
    ),
    *(
        Row(program="photos", what=f"simulated papered room: {what}", bar="", value=at("room", key))
        for what, key in (
            ("depth off the truth in the metres of a layout scan, median, as a share", "depth_off"),
            ("error of the metre as it is told", "told_error"),
            ("the metre before, off by", "assumed_scale_off"),
        )
    ),
    Row(
        program="photos",
        what="real sets of photos that ended in a scene or a refusal that says what to do",
        bar="all",
        value=lambda r: f"{sum(one['outcome'] in ('scene', 'refused') for one in r['real'])} of {len(r['real'])}",
        met=lambda value: len(set(value.split(" of "))) == 1,
    ),
    Row(
        program="photos",
        what="those that ended in a scene that holds all gates",
        bar="",
        value=lambda r: sum(one.get("ok", False) for one in r["real"]),
    ),
    Row(
        program="photos",
        what="longest [s]",
        bar="≤ 600",
        value=lambda r: max(one["seconds"] for one in r["real"]),
        met=most(600.0),
        digits=0,
    ),
    Row(
        program="affordances",
        what="families' first grasps that a gripper closes on and lifts clear of the floor, MuJoCo",
        bar="",
        value=at("grasps_lifted"),
    ),
    Row(
        program="affordances",
        what="balls of 95 % of the measured opening that come to rest inside, both engines",
        bar="all",
        value=at("balls_held"),
        met=least(1.0),
    ),
    Row(
        program="affordances",
        what="pucks of half the radius that stay on the measured level top, both engines",
        bar="all",
        value=at("pucks_carried"),
        met=least(1.0),
    ),
    Row(
        program="affordances",
        what="a signature, median of 29 families [CPU ms]",
        bar="≤ 200",
        value=at("signature_ms", "median"),
        met=most(200.0),
    ),
    Row(
        program="vary",
        what="valid cousins a CPU second: layout, look, dynamics; ten objects, MuJoCo",
        bar="≥ 140",
        value=at("per_second"),
        met=least(140.0),
        digits=1,
    ),
    Row(
        program="vary",
        what="the same if only physics cost time",
        bar="",
        value=at("settle_limit_per_second"),
        digits=1,
    ),
    Row(
        program="vary",
        what="peer, scene_synthesizer, places without physics a CPU second",
        bar="",
        value=lambda r: r.get("peer_per_second", "not run"),
        digits=1,
    ),
    Row(
        program="vary",
        what="times the peer",
        bar="≥ 10",
        value=lambda r: r.get("times_peer"),
        met=least(10.0),
        digits=1,
    ),
    Row(
        program="vary",
        what="valid cousins a CPU second: all axes, affordance proof, both engines",
        bar="≥ 15",
        value=at("per_second_all"),
        met=least(15.0),
        digits=1,
    ),
    Row(program="vary", what="share of draws that hold, all axes", bar="", value=at("accepted_all")),
    Row(
        program="vary",
        what="axes along which farthest-first cousins spread wider than random ones",
        bar="all",
        value=lambda r: (
            f"{r['coverage']['axes_spread_wider']} of {r['coverage']['axes']}, {r['coverage']['size']} cousins"
        ),
        met=lambda value: value.split(" of ")[0] == value.split(" of ")[1].split(",")[0],
    ),
    Row(
        program="vary",
        what="axes along which a place is nearer to one of them, on average",
        bar="all",
        value=lambda r: (
            f"{r['coverage']['axes_gaps_smaller']} of {r['coverage']['axes']}, {r['coverage']['size']} cousins"
        ),
        met=lambda value: value.split(" of ")[0] == value.split(" of ")[1].split(",")[0],
    ),
    Row(
        program="vary",
        what="growth: CPU time of a cousin, the last tenth of 10,000 against the first",
        bar="0.9 to 1.1",
        value=at("growth", "last_of_first"),
        met=lambda value: 0.9 <= value <= 1.1,
    ),
    Row(
        program="vary",
        what="growth: memory at the last of 10,000 against the first tenth",
        bar="≤ 1.05",
        value=at("growth", "memory_growth"),
        met=most(1.05),
    ),
    Row(
        program="vary",
        what="growth: bytes of a cousin beside meshes",
        bar="≤ 5000",
        value=at("growth", "bytes_per_cousin"),
        met=most(5000.0),
        digits=0,
    ),
    Row(
        program="validity",
        what="cousins looked at anew from the written pack, all axes, both engines, 30 s",
        bar="≥ 1000",
        value=at("cousins"),
        met=least(1000.0),
        digits=0,
    ),
    Row(
        program="validity",
        what="within 1 mm of overlap, the worse engine",
        bar="1",
        value=at("within_1mm"),
        met=least(1.0),
        digits=4,
    ),
    Row(
        program="validity",
        what="objects stable over 30 s, the worse engine",
        bar="≥ 0.998",
        value=at("stable_objects"),
        met=least(0.998),
        digits=4,
    ),
    Row(
        program="determinism",
        what="ways to make a pack that give one digest",
        bar="all, of 1,000 cousins",
        value=lambda r: f"{r['alike']} of {r['ways']}, {r['cousins']} cousins",
        met=lambda value: value in {f"{ways} of {ways}, 1000 cousins" for ways in range(2, 20)},
    ),
    Row(
        program="throughput",
        what="environment of a bare loop, MuJoCo, the worse of pusher and Panda, 32 rows",
        bar="≥ 0.85",
        value=at("mujoco_of_bare"),
        met=least(0.85),
    ),
    Row(
        program="throughput",
        what="the same with 8 rows",
        bar="",
        value=lambda r: min(r["of_bare"]["mujoco_pusher_8_rows"], r["of_bare"]["mujoco_panda_8_rows"]),
    ),
    Row(
        program="throughput",
        what="environment of a bare loop, PyBullet, the worse of pusher and Panda",
        bar="≥ 0.85",
        value=at("pybullet_of_bare"),
        met=least(0.85),
    ),
    Row(
        program="throughput",
        what="environment steps a CPU second, MuJoCo, Panda among ten objects",
        bar="",
        value=at("steps_per_second", "mujoco_panda"),
        digits=0,
    ),
    Row(
        program="throughput",
        what="times the best of panda-gym, gymnasium-robotics and robosuite",
        bar="> 1",
        value=lambda r: r.get("times_best_peer", "not run"),
        met=lambda value: value != "not run" and float(value) > 1.0,
        digits=2,
    ),
    Row(
        program="throughput",
        what="another cousin, MuJoCo, warm [ms]",
        bar="≤ 1",
        value=lambda r: max(r["switch_ms"][f"mujoco_{body}"]["warm"] for body in ("pusher", "panda")),
        met=most(1.0),
    ),
    Row(
        program="throughput",
        what="the same from its scene, a full reload [ms]",
        bar="",
        value=lambda r: max(r["switch_ms"][f"mujoco_{body}"]["reload"] for body in ("pusher", "panda")),
        digits=1,
    ),
    Row(
        program="throughput",
        what="another cousin, PyBullet, warm [ms]",
        bar="≤ 3",
        value=lambda r: max(r["switch_ms"][f"pybullet_{body}"]["warm"] for body in ("pusher", "panda")),
        met=most(3.0),
    ),
    *(
        Row(
            program="soak",
            what=f"cousins, 500 random steps each, {shown}",
            bar="≥ 1000",
            value=at("engines", engine, "cousins"),
            met=least(1000.0),
            digits=0,
        )
        for engine, shown in (("mujoco", "MuJoCo"), ("pybullet", "PyBullet"))
    ),
    Row(program="soak", what="undetected NaN", bar="0", value=at("undetected_nan"), met=most(0.0), digits=0),
    Row(
        program="soak",
        what="share of faults, the worse engine",
        bar="≤ 0.001",
        value=at("fault_share"),
        met=most(0.001),
    ),
    Row(program="soak", what="memory at the end against early", bar="≤ 1.05", value=at("memory_ratio"), met=most(1.05)),
    Row(
        program="soak",
        what="faults done on purpose told by name",
        bar="all",
        value=lambda r: "all" if r["caught_by_name"] else "not all",
        met=lambda value: value == "all",
    ),
    Row(
        program="packs",
        what="verifying a pack of 10,000 cousins, one core [MB/s]",
        bar="≥ 800",
        value=at("verify_mb_per_s"),
        met=least(800.0),
        digits=0,
    ),
    Row(program="packs", what="SHA-256 alone on this machine [MB/s]", bar="", value=at("sha256_mb_per_s"), digits=0),
    Row(
        program="packs",
        what="bytes of one cousin more, besides meshes",
        bar="≤ 5000",
        value=at("bytes_per_cousin"),
        met=most(5000.0),
        digits=0,
    ),
    Row(
        program="packs",
        what="pull of 64 of 10,000: bytes moved beyond those that a pack of these alone would need",
        bar="< 0.02",
        value=at("pull_overhead"),
        met=most(0.02),
        digits=4,
    ),
    Row(
        program="packs",
        what="pulls killed at random moments that end as the pack that was pushed",
        bar="50 of 50",
        value=lambda r: f"{r['interrupted']['identical']} of {r['interrupted']['times']}",
        met=lambda value: value == "50 of 50",
    ),
    Row(
        program="packs",
        what="single flipped bits that are found",
        bar="1000 of 1000",
        value=lambda r: f"{r['bitflips']['found']} of {r['bitflips']['times']}",
        met=lambda value: value == "1000 of 1000",
    ),
    Row(
        program="packs",
        what="CPU time to write a cousin, 1,000 to 10,000 beside 100 to 1,000",
        bar="within 10 %",
        value=at("growth", "slope_ratio"),
        met=lambda value: abs(value - 1.0) <= 0.1,
    ),
    Row(
        program="packs",
        what="peak memory of writing 10,000 beside 100",
        bar="flat",
        value=at("growth", "memory_ratio"),
        met=most(1.1),
    ),
    *(
        Row(program="twin_vs_cousins", what=what, bar=bar, value=value, met=met, digits=1)
        for what, bar, value, met in (
            (
                "trained in cousins less trained in the twin, heldout_far and shadow pooled [points]",
                "≥ 40",
                points("heldout_far+shadow", "value"),
                least(40.0),
            ),
            ("the same, lower end of the interval", "≥ 20", points("heldout_far+shadow", "low"), least(20.0)),
            ("the same in heldout_far", "", points("heldout_far", "value"), None),
            ("the same in the shadow world (sim-to-sim)", "", points("shadow", "value"), None),
            ("the same in the twin itself", "≥ -5", points("twin", "value"), least(-5.0)),
            ("the same with dissimilar assets", "≥ 0", points("dissimilar", "value"), least(0.0)),
        )
    ),
    *(
        Row(
            program="twin_vs_cousins",
            what=f"success at the end in {split}: trained in the twin; with noise; in cousins [%]",
            bar="",
            value=three_arms(split),
        )
        for split in ("twin", "heldout_near", "heldout_far", "dissimilar", "shadow", "shadow_twin")
    ),
    Row(
        program="twin_vs_cousins",
        what="trained in cousins less trained with noise, heldout_far and shadow pooled, with its 95 % [points]",
        bar="",
        value=lambda r: interval(r["differences"]["cousins - noise"]["heldout_far+shadow"]),
    ),
    Row(
        program="twin_vs_cousins",
        what="less trained in the twin, pooled, its 95 % drawing whole trainings rather than cousins [points]",
        bar="",
        value=lambda r: interval(r["by_training"]["cousins - twin"]),
    ),
    Row(
        program="twin_vs_cousins",
        what="the same without tasks and seeds of which an arm has not learned the twin, drawing cousins [points]",
        bar="",
        value=lambda r: interval(r["learned"]["cousins - twin"]),
    ),
    Row(
        program="twin_vs_cousins",
        what="trainings that succeed in fewer than half of the episodes in the twin itself",
        bar="",
        value=lambda r: ", ".join(r["unlearned"]) or "none",
    ),
    Row(
        program="twin_vs_cousins",
        what="push in heldout_far after training in so many cousins: success at the end of episodes",
        bar="",
        value=lambda r: ", ".join(f"{count}: {one['k']} of {one['n']}" for count, one in r["counts"].items()) or "none",
    ),
    Row(
        program="twin_vs_cousins",
        what="push learned in PyBullet, the shadow under MuJoCo: cousins less twin there [points]",
        bar="",
        value=lambda r: interval(r["reversed"]["differences"]["shadow"]) if r["reversed"]["splits"] else "not run",
    ),
    Row(
        program="twin_vs_cousins",
        what="seeds of each task",
        bar="≥ 5 of push, close_drawer and lift",
        value=lambda r: ", ".join(f"{task} {count}" for task, count in r["seeds"].items()),
        met=lambda value: all(int(one.split()[1]) >= 5 for one in value.split(", ")) and value.count(",") == 2,
    ),
    Row(
        program="twin_vs_cousins",
        what="episodes; how many broke",
        bar="",
        value=lambda r: f"{r['episodes']}; {r['faults']}",
    ),
    *(
        Row(program="replay", what=what, bar="", value=value)
        for what, value in (
            ("success in heldout_near and heldout_far: before the arms part [%]", replayed("twin alone")),
            ("with cousins drawn evenly [%]", replayed("uniform")),
            ("with those drawn most that teach most [%]", replayed("prioritised")),
            ("the latter less the former, cousins drawn anew [points]", replay_gain("cousins")),
            ("the same, seeds drawn anew [points]", replay_gain("seeds")),
        )
    ),
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("programs", nargs="*", help=f"programs to run first: {', '.join(PROGRAMS)} or all")
    given, passed = arguments.parse_known_args()
    unknown = sorted(set(given.programs) - {*PROGRAMS, "all"})
    if unknown:
        arguments.error(f"no program named {unknown[0]!r}; known: {', '.join(PROGRAMS)}, all")
    for name in PROGRAMS if "all" in given.programs else given.programs:
        run(name, passed)
    (HERE / "RESULTS.md").write_text(page(), encoding="utf-8")


def run(name: str, words: Sequence[str] = ()) -> None:
    """Run one program, with more words for it, and keep its JSON with when and where."""
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        print(f"{name}: the machine is busy (load {load:.1f}); times will be too long", file=sys.stderr)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py"), "--json", *words], stdout=subprocess.PIPE, check=True, text=True
    )
    kept = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(load, 2),
        "seconds": round(time.monotonic() - began, 1),
        "result": json.loads(done.stdout.splitlines()[-1]),
    }
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def page() -> str:
    """Return RESULTS.md."""
    parts = [
        "# Results",
        "",
        "Made by `python benchmarks/results.py` from what the programs printed (`benchmarks/results/`); each program's",
        "docstring says what it measures and how. Short falls are marked, not left out.",
    ]
    for name in PROGRAMS:
        kept = json.loads(path.read_text()) if (path := KEPT / f"{name}.json").is_file() else None
        parts += ["", f"## {name}", "", *_table(name, kept)]
    return "\n".join(parts) + "\n"


def _table(name: str, kept: dict[str, Any] | None) -> Sequence[str]:
    if kept is None:
        return ["Not run."]
    told = "{date}, {cores} cores, Python {python}, load before {load_before}, {seconds} s".format(**kept)
    lines = [told, "", "| what | bar | measured | met |", "|---|---|---|---|"]
    for row in ROWS:
        if row.program == name:
            value = row.value(kept["result"])
            met = "" if row.met is None else "yes" if row.met(value) else "**no**"
            lines.append(f"| {row.what} | {row.bar} | {_shown(value, row.digits)} | {met} |")
    return lines


def _shown(value: Any, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
