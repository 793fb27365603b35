"""Demonstrations of any robot as training data: numbers with a meaning, checked and cached."""
