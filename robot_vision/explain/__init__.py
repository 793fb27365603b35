"""What a model looks at: maps by several ways, checked before they are shown.

`subject` opens a model, `targets` say what of its answer is explained, `question` joins both with
a picture, `ways/` has a way of explaining a file, `heat` is a map and refuses one that is empty,
`layers` and `attention_tap` read a network from outside while it runs. `inside/` looks at the
network itself, `measuring/` says how far maps can be believed, `child` serves the console.
"""
