"""An S3-compatible bucket (extra `s3`): AWS, MinIO, Ceph, R2. Keys and region come from the environment as usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cousins.errors import StoreError
from cousins.pack.transfer.object_stores import ObjectStore
from cousins.pack.transfer.registry import PackStore


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which bucket."""

    address: str
    """`s3://BUCKET/PREFIX`."""
    options: dict[str, Any] = field(default_factory=dict)
    """What s3fs takes beside that, such as `endpoint_url`; by default they come from the environment."""


def build(config: Config) -> PackStore:
    """Return the store; raises `StoreError` where the extra is not installed."""
    try:
        import s3fs
        from botocore.exceptions import BotoCoreError
    except ModuleNotFoundError as error:
        raise StoreError(
            f"no module {error.name!r}", expected="the extra `s3`", hint="Install it: pip install 'cousins[s3]'."
        ) from error
    options = {"use_listings_cache": False, "skip_instance_cache": True, **config.options}
    return ObjectStore(
        config.address,
        s3fs.S3FileSystem(**options),
        root=config.address.removeprefix("s3://").strip("/"),
        errors=(OSError, ValueError, BotoCoreError),
        hint="AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY tell where and who; the bucket must exist.",
    )
