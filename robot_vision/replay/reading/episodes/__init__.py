"""Datasets of episodes as recordings: one episode after another, on one clock."""
