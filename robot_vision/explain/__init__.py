"""Maps of what a model looks at, by several methods, each checked before it is shown.

`opening/` opens a model and a picture, `targets` are the parts of an output to explain,
`question` joins them and `asking` parses one from text. `ways/` has one method per file;
`network/` hooks a network while it runs. `heat` is a map, and rejects an uninformative one;
`answer` has all maps of one picture. `inside/` inspects the network itself, `measuring/` measures
how reliable maps are, `child` serves the console.
"""
