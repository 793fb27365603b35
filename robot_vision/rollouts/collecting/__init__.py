"""Episodes for training: what the expert does, and what is asked of each frame."""
