"""Multiplications, parameters and activations of layers, counted without a clock."""
