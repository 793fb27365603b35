"""Policies from pixels: history, inputs, network, policy."""
