"""Colour and depth paired by stamp, newest first."""
