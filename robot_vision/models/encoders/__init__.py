"""One encoder per file, registered in `ENCODERS`: maps at strides and an embedding.
`picture_encoder` normalises pixels inside the graph; `foreign` is shared by encoders from other
packages.
"""
