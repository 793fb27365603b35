"""The console: a web page and an API that show what the service sees and send it commands.

`state` (the newest data) → `pictures` (arrays to images; separate models for clients' pictures) →
`serving` (HTTP, WebSocket and access control). `schema` is the contract of the API, `client` a
small client for programs, `commander` the interface to the robot, `static/` the pages. Does not
depend on ROS: the node in `ros/console` feeds it.
"""
