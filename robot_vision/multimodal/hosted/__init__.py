"""Models hosted by providers: bounded requests, and secrets that stay secret.

`key` (from the environment, never shown) → `post` (time, retries, sizes, errors) → `hosted` (a
model behind an `Interface`, which a file of `answerers/` describes).
"""
