"""What a model looks at: maps in several ways, checked before they are shown.

`opening/` has a model and a picture, `targets` what of the answer is explained, `question` joins
them and `asking` makes one of words. `ways/` has a way of explaining a file; `network/` reads a
network from outside while it runs. `heat` is a map, and refuses one that says nothing; `answer`
has the maps of one picture. `inside/` looks at the network itself, `measuring/` says how far maps
can be believed, `child` serves the console.
"""
