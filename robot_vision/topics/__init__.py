"""One table of the topics that perception publishes, and how each message is made; no ROS.

`table` names type, QoS and maker of every topic. Makers fill messages that `messages.Messages`
hands out: ROS's own classes in the node (`ros/messages/live`), classes without ROS where replay
writes files (`replay/writing/file_messages`). So a message in a file is the one of the live node.
"""
