"""One file per task, each with a frozen `Config` and `build(config)`."""
