"""Engines for policies that are not ONNX: one file each, which registers itself."""
