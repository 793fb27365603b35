"""HTTP and WebSocket: the application and everything in front of it.

`server` owns the threads, `app` joins pages and `routes`, `stream` serves viewers and `exposition`
Prometheus. `guard`, `bodies`, `rates`, `connections` and `protocols` limit clients.
"""
