"""One replay, or many: `job` is one recording, `run_many` distributes them, `progress` shows a
bar.

`options` and `parameters` parse the command line.
"""
