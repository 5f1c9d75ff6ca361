"""Decoders of untrusted bytes.

In: bytes of archives, images, depth maps, compressed streams, videos and JSON from strangers. Out: checked arrays and
values, or an `InputError`; nothing is decoded before its header was measured.
"""
