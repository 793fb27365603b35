"""Sheets for documentation: a bundle's answers on held-out pictures, beside the truth.

`draw` asks the module of the bundle's task for tiles; `canvas` joins them into a JPEG.
"""
