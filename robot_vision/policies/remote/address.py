"""A server's address, checked before anything is sent to it, and its token."""

import os
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

from robot_vision.core.errors import BundleError
from robot_vision.core.files.foreign import quoted
from robot_vision.policies.remote.spec import ServerAddress

_TLS = ("wss", "https", "grpcs")


@dataclass(frozen=True, kw_only=True)
class Address:
    """A server; its text representations never contain the token."""

    scheme: str
    host: str
    port: int
    path: str
    token: str
    ca_file: str

    @property
    def is_encrypted(self) -> bool:
        return self.scheme in _TLS

    @property
    def shows_token(self) -> bool:
        """Whether the token travels unencrypted."""
        is_here = self.host in ("localhost", "::1") or self.host.startswith("127.")
        return bool(self.token) and not self.is_encrypted and not is_here

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.path}"

    def __repr__(self) -> str:
        return f"Address({self})"

    def tls(self) -> ssl.SSLContext | None:
        """TLS context for checking certificates; None if the connection is unencrypted."""
        if not self.is_encrypted:
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise BundleError(f"server.ca_file {self.ca_file}: {error}") from error


def address_of(server: ServerAddress, *, schemes: tuple[str, ...], default_path: str) -> Address:
    """Raises `BundleError` saying what is wrong with the URL, or which token is missing."""
    expected = f"expected {' or '.join(f'{s}://host:port' for s in schemes)}"
    try:
        parts = urlsplit(server.url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BundleError(f"server.url {quoted(server.url)}: {error}; {expected}") from error
    if parts.username is not None or parts.password is not None:
        raise BundleError(
            f"server.url contains a password; put it into an environment variable; {expected}"
        )
    shown = f"server.url {quoted(server.url)}"
    if parts.scheme not in schemes:
        raise BundleError(f"{shown} has the scheme {quoted(parts.scheme)}; {expected}")
    if not host or port is None or any(c.isspace() or not c.isprintable() for c in server.url):
        raise BundleError(f"{shown} lacks a host or port, or contains spaces; {expected}")
    if parts.query or parts.fragment:
        raise BundleError(f"{shown} has a query or fragment; {expected}")
    token = ""
    if server.token_variable:
        token = os.environ.get(server.token_variable, "").strip()
        if not token:
            raise BundleError(
                f"server.token_variable names {server.token_variable}, which is not set: set it "
                "in the node's environment, or remove token_variable"
            )
        if not token.isprintable() or not token.isascii():
            raise BundleError(
                f"the token in {server.token_variable} is not printable ASCII; expected "
                "printable ASCII characters"
            )
    return Address(
        scheme=parts.scheme,
        host=host,
        port=port,
        path=parts.path if parts.path not in ("", "/") else default_path,
        token=token,
        ca_file=server.ca_file,
    )
