"""The commands of `cousins`, one a file, imported when asked for.

Each has `add_arguments(parser)`, `run(arguments)`, which returns a JSON-able result and the exit code, and
`format_result(result)`, which returns the result as text for a terminal.
"""
