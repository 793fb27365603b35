"""Demonstrations of any robot as training data: what their numbers mean, checked and cached."""
