"""Perception of demonstrations, as in the service: computed once and kept."""
