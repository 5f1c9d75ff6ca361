"""Formats of records, a file each: `Config` and `build(config)`, which returns a `Writer`."""
