"""Foundation models by name: turns a model from a hub, a mirror, a URL or a folder into a bundle.

`reference` resolves a name, `hub` and `download` fetch files, `model_folder` reads
a folder's kind, a file in `families/` turns one kind of model into a graph, `convert` writes it
as a bundle and verifies it. `known` is the short list of names.
"""
