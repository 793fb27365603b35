"""Decoded samples on the training device, and their augmentation."""
