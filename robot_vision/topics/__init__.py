"""Tables of the nodes' topics, and the makers of perception's messages; no ROS.

`table` has type, QoS, purpose and maker of every topic that perception publishes, `policy_table`
the topics of the policy node. Makers fill messages from `messages.Messages`: ROS's own classes in
the node (`ros/messages/live`), classes without ROS where replay writes files
(`replay/writing/file_messages`). So files contain the same messages as live topics.
"""
