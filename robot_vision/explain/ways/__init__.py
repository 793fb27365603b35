"""A way of explaining a file; it registers itself in `explain/question.py`."""
