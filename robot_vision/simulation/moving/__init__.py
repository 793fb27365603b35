"""Things that move: paths, times, sequences of frames."""
