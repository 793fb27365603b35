"""Encoders as they learn without labels: each with what its method needs beside it."""
