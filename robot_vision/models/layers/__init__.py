"""Layers that several networks share. None knows a model."""
