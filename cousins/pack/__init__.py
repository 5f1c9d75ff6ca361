"""Packs: the twin, its cousins, and all that they need, under one digest.

    pack.json      the manifest, canonical JSON; its SHA-256 is the pack's digest
    pack.sha256    that digest, so that damage to the manifest is found too
    blobs/ab/cd…   everything else, named by its SHA-256:
                   - pages of 64 cousins of one split, as parameters, with references to the variants that they show
                   - records of variants and of the scene around them, with references to meshes and textures
                   - meshes of one asset, in whole micrometres, and textures as PNG, each once
    selection.json which cousins were pulled, where not all were
    card.md, licences.json, croissant.json, gallery.html, contact_sheet.png
                   for people and search engines; they follow from the pack and are no part of the digest

A reference is a digest and a size, never a path or an address. Compression is bzip2, whose output has been the same
everywhere since 2010. A cousin is loaded from its page and the variants that it shows; nothing else is read.
"""
