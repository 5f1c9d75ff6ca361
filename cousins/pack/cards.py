"""Files beside a pack for people and search engines: its card, its licences, its Croissant description.

All of it follows from the pack alone, so it is no part of the digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cousins.pack.packs import Pack

CARD_FILES: Final = ("card.md", "licences.json", "croissant.json")
"""Files that are written beside `pack.json`."""
_CROISSANT_TERMS: Final = (
    "citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes isLiveDataset "
    "jsonPath key md5 parentField path recordSet references regex repeated replace samplingRate separator source "
    "subField transform"
)
"""Words of Croissant 1.0 that its context must name, all of them."""
_CROISSANT_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _CROISSANT_TERMS.split()},
}
_SPLIT_PURPOSES: Final = {
    "twin": "the scanned scene itself",
    "train": "to learn from",
    "heldout_near": "drawn as train is, never to be learned from",
    "heldout_far": "shapes that train never shows, never to be learned from",
}


def card_files(pack: Pack) -> dict[str, bytes]:
    """Return the files beside a whole pack, by name."""
    licences = pack.licences()
    rows = [
        {"variant": key, "licence": licence, "origin": origin} for key, (licence, origin) in sorted(licences.items())
    ]
    rows += [
        {"variant": "", "licence": licence, "origin": name}
        for name, licence in sorted(pack.manifest.meta.assets.items())
    ]
    return {
        "card.md": card(pack.info()).encode(),
        "licences.json": _json({"digest": pack.digest, "licences": rows}),
        "croissant.json": _json(croissant(pack)),
    }


def card(info: Mapping[str, Any]) -> str:
    """Return the data sheet of a pack as Markdown, from the result of `Pack.info`."""
    splits = [[name, str(count), _SPLIT_PURPOSES[name]] for name, count in info["splits"].items()]
    parts = [
        f"# {_escaped(info['name'])}",
        (
            f"{info['cousins'] - 1} digital cousins of one scanned scene, and the scene itself: worlds for simulation "
            "that keep what the scene affords and change the rest."
        ),
        "## What is in it",
        _table(["split", "cousins", "what for"], splits),
        f"{info['bytes']} bytes in {info['files']} files. Digest `sha256:{info['digest']}`.",
        (
            "Every cousin is parameters over shared assets, in metres, kilograms, seconds, z up. It loads on its own "
            "as OpenUSD, MJCF or URDF:\n\n    cousins pack export PACK --cousin 1 -o SCENE"
        ),
        "## How it was made",
        f"By {_escaped(info['generator'])}, seed {info['seed']}. From:",
        _table(
            ["what", "SHA-256"],
            [[_escaped(key), f"`{_escaped(value)}`"] for key, value in sorted(info["lineage"].items())],
        ),
        "Refused on the way:",
        _table(
            ["reason", "axis", "candidates"],
            [
                [_escaped(reason), _escaped(axis), str(count)]
                for reason, axes in sorted(info["rejections"].items())
                for axis, count in sorted(axes.items())
            ],
        ),
        "## How far it reaches",
        _table(
            ["axis", "coverage"], [[_escaped(axis), f"{value:.0%}"] for axis, value in sorted(info["coverage"].items())]
        ),
        "## Tests in physics",
        "```json\n" + json.dumps(info["gates"], indent=1, sort_keys=True).replace("```", "'''") + "\n```",
        "## Licences",
        _table(
            ["licence", "variants"], [[_escaped(name), str(count)] for name, count in sorted(info["licences"].items())]
        ),
        "`licences.json` lists them one by one. `as the capture` is whatever the owner of the scan grants.",
        "## Limits",
        _list([*info["warnings"], *info["fallbacks"]]),
        (
            "Masses, frictions and joint limits are drawn from intervals around estimates; none is measured unless its "
            "source says so. What was tested stands above; no real robot has been asked."
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def croissant(pack: Pack) -> dict[str, Any]:
    """Return the description of a pack in MLCommons' Croissant 1.0, as JSON-LD."""
    info = pack.info()
    return {
        "@context": _CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": info["name"],
        "description": f"{info['cousins'] - 1} digital cousins of one scanned scene, and the scene itself, for robot "
        "simulation.",
        "license": sorted(info["licences"]),
        "version": f"1.0.0+{info['digest'][:12]}",
        "url": f"urn:sha256:{info['digest']}",
        "citeAs": f"{info['name']}, sha256:{info['digest']}, {info['generator']}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": "pack.json",
                "name": "pack.json",
                "contentUrl": "pack.json",
                "encodingFormat": "application/json",
                "sha256": info["digest"],
            },
            {
                "@type": "cr:FileSet",
                "@id": "blobs",
                "name": "blobs",
                "encodingFormat": "application/octet-stream",
                "includes": "blobs/*/*",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "splits",
                "name": "splits",
                "dataType": "cr:Split",
                "key": {"@id": "splits/name"},
                "field": [
                    {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
                    {"@type": "cr:Field", "@id": "splits/cousins", "name": "cousins", "dataType": "sc:Integer"},
                ],
                "data": [
                    {"splits/name": name, "splits/cousins": count} for name, count in sorted(info["splits"].items())
                ],
            }
        ],
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _escaped(value: object) -> str:
    """Return words of strangers so that Markdown and HTML read them as words."""
    text = " ".join(str(value).split())
    for letter in "\\`*_[]|#":
        text = text.replace(letter, f"\\{letter}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return "(nothing)"
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _list(texts: list[str]) -> str:
    return "\n".join(f"- {_escaped(text)}" for text in texts)
