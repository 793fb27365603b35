"""Models that others host: requests within bounds, and secrets that stay where they are.

`key` (from the environment, never shown) → `post` (time, retries, sizes, words) → `hosted` (a
model behind an `Interface`, which a file of `answerers/` describes).
"""
