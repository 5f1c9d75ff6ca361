"""Parsing code that several readers share.

Input: files of an export. Output: frames with poses and intrinsics in the project's conventions. Formats are recognised
by the readers in `backends/`, not here.
"""
