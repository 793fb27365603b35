"""A training run: `run` builds model and optimiser from a recipe (`recipes`), `loop` runs rounds
of steps (`stepping`), evaluates, and saves a `checkpoint` to resume from; `curves` and `report`
show it. `task` is the contract with `training/tasks`; `finding` finds batch size and learning
rate.
"""
