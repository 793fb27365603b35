"""Back-ends run models: arrays in, arrays out. The file's kind decides which one."""

from robot_vision.backends.load import load_backend

__all__ = ["load_backend"]
