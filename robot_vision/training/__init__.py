"""Training: what a model learns (`tasks`, `losses`, `metrics`), from what (`data`,
`demonstrations`, `self_supervised`), and how a run goes (`engine`). `commands/train` starts it.
"""
