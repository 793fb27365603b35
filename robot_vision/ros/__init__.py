"""The nodes, and the only code that knows ROS 2: a folder a node.

`run` joins nodes in one process. Below the nodes lie `common` (what a node is made of), `messages`
(ROS messages to core types and back) and `middleware` (DDS: QoS, threads, losses). Above
them is `soak`; `tools` are separate: a node never imports one.
"""
