"""What a replay writes while it runs: the node's topics as MCAP, tracks, pictures.

`mcap_file` writes whole chunks or none and `rotating` bounds a recording; the live recorder uses
both.
"""
