"""Phone exports to canonical captures.

In: an export (folder, zip, film or pictures) of any known app. Out: a `Capture`: posed colour and depth frames in
metres, z up, in a folder that is written whole or not at all. One reader per format in `backends/`.
"""
