"""Reports of a regression run, each a function of the JSON that `cousins regress run` prints."""
