"""A provider's key: read from the environment when sent, and never shown."""

import os
import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from robot_vision.core.errors import ConfigError

HIDDEN = "[key hidden]"
_LEAST_KEY = 8
# No key looks like this, so a key given instead of the variable's name is never shown.
_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_(KEY|TOKEN)")


class Key:
    """Neither `str` nor `repr` shows it, and no dataclass or pydantic model holds it."""

    def __init__(self, variable: str) -> None:
        """Raises `ConfigError` if the environment variable holds no key."""
        if not _NAME.fullmatch(variable):
            raise ConfigError(
                f"`key_variable` is a text of {len(variable)} characters; expected the name of an "
                "environment variable that ends with _KEY or _TOKEN: the key itself belongs in "
                "that variable"
            )
        value = os.environ.get(variable, "").strip()
        if len(value) < _LEAST_KEY or not value.isascii() or not value.isprintable():
            raise ConfigError(
                f"the environment variable {variable} holds no key; set it to the provider's, "
                "outside shared files"
            )
        self._value = value
        self.variable = variable

    def __repr__(self) -> str:
        return f"Key({self.variable})"

    def sent(self) -> str:
        """For the header of a request, and nothing else."""
        return self._value

    def hidden_in(self, text: str) -> str:
        """The text without the key: providers repeat a refused one in their answer."""
        return text.replace(self._value, HIDDEN)


def checked_url(url: str) -> str:
    """The address; raises `ConfigError` unless requests to it are confidential."""
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"the address of {parts.hostname} has more than a host and a path; a key belongs in "
            "the environment"
        )
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))
    if not is_safe or not parts.hostname:
        raise ConfigError(
            f"address {url!r}: expected https://…, or http:// of this machine (a key must not "
            "cross a network that others can read)"
        )
    return url.rstrip("/")


def _is_here(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"
