"""The HTTP routes of the API, with examples and every answer that they may give."""
