"""What the action and state numbers of a dataset mean, checked against the data.

`meaning` defines it, `canonical` converts foreign numbers to ours, `check` looks for
contradictions, `study` is the report for a person who brings a dataset.
"""
