"""Smaller and faster models, accepted by measured figures alone.

`plan` is the file with the variants to try; a step is a file in `steps/` that registers itself and
writes a run's folder (steps on weights) or a bundle (steps on the graph); `carry_out` runs the
chains, `measuring` judges and times them side by side, `report` draws the results.
"""
