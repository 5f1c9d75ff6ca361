"""Low things on a support: pens, spoons and scissors that stand less above it than the noise of a depth pixel.

In: posed depth and colour, planes. Out: height and colour maps of a support, the things in them, and what was left.
"""
