"""Parses image sizes such as 416x320."""

from robot_vision.core.errors import ConfigError


def size_px(text: str) -> tuple[int, int]:
    """Width and height in pixels; raises `ConfigError`."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"size {text!r}; expected width and height in pixels, such as 416x320")
    return int(width), int(height)
