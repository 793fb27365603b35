"""Contents of perception's messages: what `makers` fill in, by the kind of message."""
