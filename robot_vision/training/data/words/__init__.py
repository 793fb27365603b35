"""Captions, phrases and questions, and their tokens."""
