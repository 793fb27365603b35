"""What the action and state numbers of a dataset mean, checked against the data.

`meaning` defines it, `canonical` converts foreign numbers to ours, `checking/` looks for
contradictions, `asking/` has the report and the questions for a person who brings a dataset.
"""
