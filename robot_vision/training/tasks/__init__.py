"""One task per file: what a model learns, its data, loss and metrics, and the manifest of its
export. `task.py` in `training/engine` is the contract; `pictures` and `boxes` are shared by
several tasks.
"""
