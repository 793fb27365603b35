"""Sheets for documents: what a bundle says of held-out pictures, beside the truth.

`draw` asks the module of the bundle's task for tiles; `canvas` joins them into a JPEG.
"""
