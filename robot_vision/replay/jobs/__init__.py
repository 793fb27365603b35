"""One replay, or many: `job` is one recording, `run_many` shares them out, `progress` shows a bar.

`options` and `parameters` turn words of the command line into values.
"""
