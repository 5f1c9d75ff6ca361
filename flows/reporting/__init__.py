"""Results for people.

In: scans, packs and their numbers. Out: the report page, pictures, previews, the gallery and text for a terminal.
"""
