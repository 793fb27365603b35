"""Two replays beside each other: golden files or summaries, what drifted, and the verdict."""
