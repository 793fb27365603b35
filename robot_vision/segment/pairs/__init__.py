"""The known exports, one per file: the names and the meaning of their tensors."""
