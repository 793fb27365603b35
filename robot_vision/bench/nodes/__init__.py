"""Nodes over DDS, with and without a console."""
