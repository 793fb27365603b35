"""Foundation models by name: from a hub, a mirror, a URL or a folder to a bundle of ours.

`reference` says what a name means, `hub` and `download` bring files here, `model_folder` reads
what a folder is, a file in `families/` turns one kind of model into a graph, `convert` writes it
as a bundle and proves it. `known` is the short list of names.
"""
