"""Smaller and faster models, accepted by measured figures alone.

`plan` is the file that says what is tried; a step is a file in `steps/` that registers itself and
makes a run's folder (steps of weights) or a bundle (steps of the graph); `carry_out` runs the
chains, `measuring` judges and times them side by side, `report` draws what came of it.
"""
