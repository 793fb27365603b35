"""Sets, captions and recordings on disk."""
