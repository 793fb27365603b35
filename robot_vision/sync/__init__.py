"""Pairs colour and depth by stamp, newest first."""
