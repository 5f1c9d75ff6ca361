"""A dataset repository of the Hugging Face Hub (extra `hub`), as `hf://OWNER/NAME`, maybe with a folder behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cousins.errors import StoreError
from cousins.pack.transfer.object_stores import ObjectStore
from cousins.pack.transfer.registry import PackStore


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which repository."""

    address: str
    """`hf://OWNER/NAME`."""
    endpoint: str | None = None
    """Another server than huggingface.co; by default the environment's HF_ENDPOINT is used."""


def build(config: Config) -> PackStore:
    """Return the store; raises `StoreError` where the extra is not installed or the address names no repository."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError as error:
        raise StoreError(
            f"no module {error.name!r}", expected="the extra `hub`", hint="Install it: pip install 'cousins[hub]'."
        ) from error
    parts = config.address.removeprefix("hf://").strip("/").removeprefix("datasets/").split("/")
    if len(parts) < 2 or not all(parts):
        raise StoreError(
            f"the address {config.address!r}",
            expected="hf://OWNER/NAME",
            hint="Make a dataset repository on the Hub first.",
        )
    system = huggingface_hub.HfFileSystem(endpoint=config.endpoint, use_listings_cache=False, skip_instance_cache=True)
    # Its bases are OSError and the root of whatever web client the Hub's library has chosen.
    errors = (*HfHubHTTPError.__bases__, ValueError, RuntimeError)
    api = huggingface_hub.HfApi(endpoint=config.endpoint)
    return HubStore(config.address, system, api, parts=parts, errors=errors)


class HubStore(ObjectStore):
    """Files of a dataset repository; what is written together is one commit."""

    def __init__(
        self, address: str, system: Any, api: Any, *, parts: list[str], errors: tuple[type[Exception], ...]
    ) -> None:
        super().__init__(
            address,
            system,
            root="/".join(["datasets", *parts]),
            errors=errors,
            hint="HF_TOKEN tells who you are; the dataset repository must exist.",
        )
        self._api = api
        self._repository = "/".join(parts[:2])
        self._folder = parts[2:]

    def write(self, files: Mapping[str, bytes]) -> None:
        """Commit files."""
        from huggingface_hub import CommitOperationAdd

        operations = [
            CommitOperationAdd(path_in_repo="/".join([*self._folder, key]), path_or_fileobj=data)
            for key, data in files.items()
        ]
        message = f"{len(files)} files of a pack" if len(files) > 1 else next(iter(files))
        self.call("a commit", self._commit, operations, message)

    def _commit(self, operations: list[Any], message: str) -> None:
        self._api.create_commit(self._repository, operations=operations, commit_message=message, repo_type="dataset")
