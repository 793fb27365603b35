"""One method of explaining per file; each registers itself in `explain/question.py`."""
