"""One kind of figure per file, with the trivial answers that it is shown beside (`trivial_*`).
`bootstrap` draws the intervals.
"""
