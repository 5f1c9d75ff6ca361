"""Convert phone exports to canonical captures.

Input: an export (folder, zip, film or photos) of a supported app. Output: a `Capture`: posed colour and depth frames in
metres, z up, in a folder that is written atomically. One reader per format in `backends/`.
"""
