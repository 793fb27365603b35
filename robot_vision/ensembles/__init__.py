"""Several models, or several views of a picture, as one bundle: an ONNX graph as any other.

`views` (the picture flipped, scaled, cropped) → the networks → `decode` and `fuse_boxes`, or
`fuse_maps` → one answer in a format that there is; `build` joins the graphs, writes the bundle.
"""
