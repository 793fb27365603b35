"""HTTP and WebSocket: the application and its protection.

`server` has the threads, `app` joins `pages` and `routes`, `stream` serves viewers and
`exposition` Prometheus. `guard`, `bodies`, `rates`, `connections` and `protocols` bound what
clients may do.
"""
