"""How far maps can be believed: on objects or not, faithful or not, of weights or of nothing.

`cases` are pictures with true masks, `curves` hide what a map calls important, `judged` joins both
for one way, `measure` runs ways over a set.
"""
