"""Datasets of episodes as recordings: one episode after the other, on one clock."""
