"""Results of episodes in a folder or a bucket that any number of processes write to.

    results/ab/<key>.json     outcome of one episode, written whole or not at all, never changed
    red/<run key>/<test>.json a test that was red; running the same again does not turn it green

A process that is killed leaves no partial entry; `entry_stores` describes what holds for two writers of one key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from cousins.codec import canonical_json
from cousins.errors import InputError
from cousins.regress.entry_stores import open_entries
from cousins.regress.outcomes import EpisodeOutcome, outcome_record, read_outcome
from cousins.store import json_digest

FORMAT: Final = "cousins regress result 1"
"""Value of `format` in an entry."""
_KEY: Final = re.compile(r"[0-9a-f]{64}")


def default_store() -> str:
    """Return where results lie: COUSINS_REGRESS, a folder or an address, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return os.environ.get("COUSINS_REGRESS") or os.fspath(cache / "cousins-regress")


class ResultStore:
    """Results by key."""

    def __init__(self, address: str | Path) -> None:
        """Open a folder, or an address such as `s3://BUCKET/PREFIX`; raises `InputError`."""
        self._entries = open_entries(address)

    def get(self, key: str) -> EpisodeOutcome | None:
        """Return the outcome under a key, None where there is none; raises `InputError` where it is damaged."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, EpisodeOutcome]:
        """Return the outcomes of those keys that are stored, read together; raises `InputError` for a damaged one."""
        paths = {_path(key): key for key in keys}
        return {paths[path]: self._outcome(paths[path], data) for path, data in self._entries.read(list(paths)).items()}

    def put(self, key: str, outcome: EpisodeOutcome) -> None:
        """Store an outcome; what is there already is left as it is."""
        self._entries.write_new(_path(key), canonical_json(_entry(key, outcome)))

    def keys(self) -> list[str]:
        """Return the keys of all results, sorted."""
        return sorted(Path(path).stem for path in self._entries.keys("results/"))

    def red_tests(self, run_key: str) -> dict[str, dict[str, str]]:
        """Return the tests that were red in earlier runs of the same inputs: state and reason, by id."""
        tests = {}
        paths = self._entries.keys(f"red/{run_key}/")
        for path, data in sorted(self._entries.read(paths).items()):
            record = self._object(path, data)
            test = record.get("test")
            if record.get("sha256") != json_digest(test) or not isinstance(test, dict):
                raise self._damaged(path)
            tests[Path(path).stem] = test
        return tests

    def remember_red(self, run_key: str, test: str, *, state: str, reason: str) -> None:
        """Store that a test is red; the first state and reason stay."""
        record = {"state": state, "reason": reason}
        data = canonical_json({"test": record, "sha256": json_digest(record)})
        self._entries.write_new(f"red/{run_key}/{test}.json", data)

    def _outcome(self, key: str, data: bytes) -> EpisodeOutcome:
        path = _path(key)
        record = self._object(path, data)
        outcome = read_outcome(record.get("outcome"), source=self._entries.place(path))
        if record != _entry(key, outcome):
            raise self._damaged(path)
        return outcome

    def _object(self, path: str, data: bytes) -> dict[str, Any]:
        try:
            record = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._damaged(path) from error
        if not isinstance(record, dict):
            raise self._damaged(path)
        return record

    def _damaged(self, path: str) -> InputError:
        place = self._entries.place(path)
        hint = f"Remove {place}: the episode is run again." if "://" in place else f"Type `rm {place}`"
        return InputError(
            f"a damaged entry {place!r} in the store of results",
            expected="the bytes as they were written",
            hint=hint if "://" in place else f"{hint}: the episode is run again.",
        )


def _path(key: str) -> str:
    assert _KEY.fullmatch(key), "keys are SHA-256 digests"
    return f"results/{key[:2]}/{key}.json"


def _entry(key: str, outcome: EpisodeOutcome) -> dict[str, Any]:
    record = outcome_record(outcome)
    return {"format": FORMAT, "key": key, "outcome": record, "sha256": json_digest({"key": key, "outcome": record})}
