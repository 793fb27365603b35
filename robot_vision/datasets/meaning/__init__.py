"""What the action and state numbers of a dataset mean, checked against the data.

`meaning` says it, `canonical` turns foreign numbers into ours, `check` looks for contradictions,
`study` is what a person reads who brings a dataset.
"""
