"""Formats of records, a file each: `Config` and `build(config)`, which answers `sim.recording.writing.Writer`."""
