"""Recipes: files, names, fields."""
