"""Several models, or several views of a picture, as one bundle: an ordinary ONNX graph.

`views` (the picture flipped, scaled, cropped) → the networks → `decode` and `fuse_boxes`, or
`fuse_maps` → one answer in an existing format; `build` joins the graphs and writes the bundle.
"""
