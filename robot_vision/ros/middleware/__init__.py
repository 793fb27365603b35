"""DDS: QoS, shared memory, dedicated threads, size limits, lost messages.

Nothing here reads the content of a message, only its number and its size in bytes.
"""
