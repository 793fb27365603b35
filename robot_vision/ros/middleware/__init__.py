"""What DDS does with messages: QoS, shared memory, threads of their own, size limits, losses.

Nothing here looks into a message, except for its number and its size as bytes.
"""
