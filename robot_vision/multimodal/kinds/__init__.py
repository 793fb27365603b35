"""What can be asked about a picture: a file each, with its question, its answer and its judge."""
