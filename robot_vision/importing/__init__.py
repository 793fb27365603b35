"""Models of others become bundles: what files say, and what trying them on pictures shows."""
