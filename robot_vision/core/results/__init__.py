"""Results as rows, JSON and labels, the same for topics, files and the console."""
