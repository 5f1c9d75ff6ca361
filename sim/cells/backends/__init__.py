"""One file per cell: a frozen `Config`, `build(config)` for the driver, `stop_line(config)` for the watchdog."""
