"""What a file and its user say."""
