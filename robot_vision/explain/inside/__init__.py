"""The network itself: feature maps and receptive fields, weights, architecture."""
