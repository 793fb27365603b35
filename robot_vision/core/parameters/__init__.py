"""Parameters: `params` (a parameter, a group, what a change needs) and a schema per node, whose
groups are in `groups`; `values` reads, lists and replaces them by dotted name.
"""
