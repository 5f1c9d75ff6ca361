"""The host of a remote cell: one file that runs in somebody else's environment."""
