"""Whether maps are reliable: on the object, faithful, and dependent on the weights.

`cases` are pictures with true masks, `curves` hide what a map calls important, `judged` joins both
for one method, `measure` runs methods over a set.
"""
