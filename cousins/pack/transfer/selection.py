"""Cousins that a user selects, and the blobs that they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cousins.errors import PackError
from cousins.pack.blobs import Blob, read_blob_list
from cousins.pack.packs import Pack
from cousins.pack.records.asset_records import blobs_of
from cousins.pack.records.cousin_records import read_cousin, variants_of
from cousins.pack.records.numbers import as_pack_errors
from cousins.vary.cousins import Split


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Some cousins of a pack; without any limit, all."""

    split: Split | None = None
    """Only this split."""
    count: int | None = None
    """Only the first so many."""
    numbers: tuple[int, ...] = ()
    """Only these."""

    @property
    def is_everything(self) -> bool:
        """True where nothing limits it."""
        return self.split is None and self.count is None and not self.numbers


def select_cousins(pack: Pack, selection: Selection) -> list[int] | None:
    """Return the numbers of the selected cousins, None for the whole pack; raises `PackError` for missing ones."""
    if selection.is_everything:
        return None
    numbers = pack.indices(selection.split)
    if selection.numbers:
        missing = sorted(set(selection.numbers) - set(numbers))
        if missing:
            raise PackError(
                f"no cousin {missing[0]}" + (f" in {selection.split}" if selection.split else ""),
                expected=f"numbers among the {len(numbers)} that there are",
                hint="`cousins pack info PACK` tells the splits.",
            )
        numbers = sorted(set(selection.numbers))
    if selection.count is not None and selection.count > len(numbers):
        raise PackError(
            f"a count of {selection.count}",
            expected=f"at most {len(numbers)}" + (f", all of {selection.split}" if selection.split else ""),
            hint="`cousins pack info PACK` tells the splits.",
        )
    return numbers[: selection.count]


def all_blobs(pack: Pack) -> list[Blob]:
    """Return every blob of a pack, the list of them among them."""
    listed = read_blob_list(pack.blobs.read(pack.manifest.blobs))
    if len(listed) != pack.manifest.blob_count or sum(blob.size for blob in listed) != pack.manifest.blob_bytes:
        raise PackError(
            "a list of blobs that is not what the manifest tells",
            expected=f"{pack.manifest.blob_count} blobs",
            hint="Do not use this pack.",
        )
    return [*listed, pack.manifest.blobs]


def pages_needed(pack: Pack, numbers: Sequence[int]) -> list[Blob]:
    """Return the pages that hold some cousins, and the record of what all share."""
    return [pack.manifest.scene, *(page.blob for page in pack.pages_of(list(numbers)))]


def records_needed(pack: Pack, numbers: Sequence[int]) -> list[Blob]:
    """Return the records of the variants that some cousins show; their pages must be at hand."""
    selected = set(numbers)
    records: set[Blob] = set()
    for page in pack.pages_of(list(numbers)):
        contents = pack.page_contents(page)
        with as_pack_errors():
            cousins = [read_cousin(contents.cousins[number]) for number in page.numbers if number in selected]
        for key in set().union(*(variants_of(cousin) for cousin in cousins)):
            if key not in contents.variants:
                raise PackError(f"no variant {key[:80]!r}", expected="it in its page", hint="Do not use this pack.")
            records.add(contents.variants[key])
    return sorted(records)


def mesh_blobs_needed(pack: Pack, records: Sequence[Blob]) -> list[Blob]:
    """Return the blobs that records name; the records must be at hand."""
    return sorted(set().union(*(blobs_of(record, pack.blobs) for record in [*records, pack.manifest.scene])))


def needed_blobs(pack: Pack, numbers: Sequence[int] | None) -> list[Blob]:
    """Return all blobs that some cousins need, or the whole pack; pages and records must be at hand."""
    if numbers is None:
        return all_blobs(pack)
    pages, records = pages_needed(pack, numbers), records_needed(pack, numbers)
    return sorted({*pages, *records, *mesh_blobs_needed(pack, records)})
