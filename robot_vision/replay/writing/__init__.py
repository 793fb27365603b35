"""Output of a running replay: the node's topics as MCAP, tracks, pictures.

`mcap_file` writes chunks completely or not at all and `rotating` limits a recording's size; the
live recorder uses both.
"""
