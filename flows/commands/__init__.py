"""The commands of `cousins`, one a file, each with `run(arguments)` and `told(result)`; imported when asked for."""
