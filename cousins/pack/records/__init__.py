"""Records of a pack as bytes.

In: cousins, assets, meshes, textures and affordance signatures. Out: canonical JSON and binary blobs, and the values
read back from them; numbers are rounded so that digests do not depend on the last bits of a sum.
"""
