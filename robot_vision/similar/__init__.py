"""Similar pictures and places: an index of embeddings on disk, and queries to it.

`frames` names the pictures of any source, `embedder` embeds them, `build` puts them into a
`store`. In `searching/`, `search` (exact) and `graph` (approximate, an extra) find the nearest
rows, `duplicates` and `novelty` judge by thresholds that the index itself calibrates, and
`regions` compares two pictures cell by cell. `sheets` draws. No torch, no ROS.
"""
