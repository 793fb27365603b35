"""Engines of policies that are no ONNX: a file each that registers itself."""
