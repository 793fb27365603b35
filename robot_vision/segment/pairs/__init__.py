"""The exports that are known, one a file: what their tensors are called and what they mean."""
