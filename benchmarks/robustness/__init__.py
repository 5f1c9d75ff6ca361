"""Programs that measure readers and checkers on broken, foreign and real input.

In: exports of all formats, corrupted or with a wrong convention, files of other projects, real captures of `--data`.
Out: counts of errors that escaped, faults that were found and alarms that were false, as JSON on the last line.
"""
