"""Objects held on a stream, and requests for them."""
