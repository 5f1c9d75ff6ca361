"""What several readers of exports share.

In: members of an export. Out: frames with poses and intrinsics in our conventions. Nothing here recognises a format;
that is the job of the files in `backends/`.
"""
