"""The HTTP routes of the API, with examples and all possible responses."""
