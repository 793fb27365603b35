"""A policy asked along held-out episodes, and pictures of its answers."""
