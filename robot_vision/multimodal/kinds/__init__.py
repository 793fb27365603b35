"""Kinds of question about a picture: one file each, with question, answer and judge."""
