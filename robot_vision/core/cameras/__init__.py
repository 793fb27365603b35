"""Cameras: from untrusted numbers to a `Camera`, lenses, rotation, and where a view lies in the
input of a model.
"""
