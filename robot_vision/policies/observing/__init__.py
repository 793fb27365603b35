"""From perceptions and the arm to tokens, and memory of targets."""
