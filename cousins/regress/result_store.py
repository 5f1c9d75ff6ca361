"""Results of episodes in a folder that any number of processes write to.

    results/ab/<key>.json     outcome of one episode, written whole or not at all, never changed
    red/<run key>/<test>.json a test that was red; running the same again does not turn it green

A file is written in a staging folder beside its place and moved there: a process that is killed leaves no partial
entry, and of two writers of one key the first wins.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from cousins.codec import canonical_json
from cousins.errors import InputError, OutputError
from cousins.publishing import move_new, staging_folder, sync
from cousins.regress.outcomes import EpisodeOutcome, outcome_record, read_outcome
from cousins.store import json_digest

FORMAT: Final = "cousins regress result 1"
"""Value of `format` in an entry."""
_KEY: Final = re.compile(r"[0-9a-f]{64}")


def default_store() -> Path:
    """Return where results lie: COUSINS_REGRESS, or the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("COUSINS_REGRESS") or cache / "cousins-regress")


class ResultStore:
    """A folder of results."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            for name in ("results", "red"):
                (root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"no way to write {os.fspath(root)!r} ({error.strerror})",
                expected="a folder for results",
                hint="Choose one with --store or COUSINS_REGRESS.",
            ) from error

    def get(self, key: str) -> EpisodeOutcome | None:
        """Return the outcome under a key, None where there is none; raises `InputError` where it is damaged."""
        path = self._path(key)
        record = _read(path)
        if record is None:
            return None
        outcome = read_outcome(record.get("outcome"), source=os.fspath(path))
        if record != _entry(key, outcome):
            raise _damaged(path)
        return outcome

    def put(self, key: str, outcome: EpisodeOutcome) -> None:
        """Store an outcome; what is there already is left as it is."""
        write_once(self._path(key), canonical_json(_entry(key, outcome)))

    def red_tests(self, run_key: str) -> dict[str, dict[str, str]]:
        """Return the tests that were red in earlier runs of the same inputs: state and reason, by id."""
        tests = {}
        for path in sorted((self.root / "red" / run_key).glob("[!.]*.json")):
            record = _read(path) or {}
            test = record.get("test")
            if record.get("sha256") != json_digest(test) or not isinstance(test, dict):
                raise _damaged(path)
            tests[path.stem] = test
        return tests

    def remember_red(self, run_key: str, test: str, *, state: str, reason: str) -> None:
        """Store that a test is red; the first state and reason stay."""
        record = {"state": state, "reason": reason}
        data = canonical_json({"test": record, "sha256": json_digest(record)})
        write_once(self.root / "red" / run_key / f"{test}.json", data)

    def _path(self, key: str) -> Path:
        assert _KEY.fullmatch(key), "keys are SHA-256 digests"
        return self.root / "results" / key[:2] / f"{key}.json"


def write_once(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; where it exists already, it is left as it is."""
    with staging_folder(path.parent) as staging:
        fresh = staging / "entry"
        fresh.write_bytes(data)
        sync(fresh)
        try:
            move_new(fresh, path)
        except OutputError:
            if not path.is_file():
                raise


def _entry(key: str, outcome: EpisodeOutcome) -> dict[str, Any]:
    record = outcome_record(outcome)
    return {"format": FORMAT, "key": key, "outcome": record, "sha256": json_digest({"key": key, "outcome": record})}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error
    if not isinstance(record, dict):
        raise _damaged(path)
    return record


def _damaged(path: Path) -> InputError:
    return InputError(
        f"a damaged entry {os.fspath(path)!r} in the store of results",
        expected="the bytes as they were written",
        hint=f"Type `rm {os.fspath(path)}`: the episode is run again.",
    )
