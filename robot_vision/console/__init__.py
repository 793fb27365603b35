"""The console: a web page and an API that show what the service sees, and send it words.

`state` (the newest of everything) → `pictures` (arrays to images; models of its own for clients'
pictures) → `serving` (HTTP and WebSocket, and who may come in). `schema` is the contract of the
API, `client` a small client for programs, `commander` the way to the robot, `static/` the pages.
Knows no ROS: the node in `ros/console` fills it.
"""
