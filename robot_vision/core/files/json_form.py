"""Dataclasses that travel over topics as JSON, written and read by one form each."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import parse_json, quoted
from robot_vision.core.parameters.params import faults_of

T = TypeVar("T")

# Untrusted figures: whatever is larger is not a measurement.
Figure = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Total = Annotated[int, Field(ge=0)]


class JsonForm(Generic[T]):
    """How one frozen dataclass is written and read. `may_lack` names fields left out when None.

    Annotations of the dataclass bound what is read; its constructor does not check them.
    """

    def __init__(
        self, kind: type[T], *, what: str, may_lack: frozenset[str] = frozenset()
    ) -> None:
        assert is_dataclass(kind)
        self.what = what
        self.adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._names = frozenset(field.name for field in fields(kind))
        self._may_lack = may_lack

    def write(self, message: T) -> str:
        """The message as JSON; numbers that are not finite become null."""
        left_out = {name for name in self._may_lack if getattr(message, name) is None}
        return self.adapter.dump_json(message, exclude=left_out).decode()

    def read(self, text: str) -> tuple[T, str]:
        """The message, and a note for the log where fields of it were ignored, else empty.

        Raises `ForeignFileError` that names each field that is missing or wrong.
        """
        data = parse_json(text, what=self.what)
        if not isinstance(data, dict):
            raise ForeignFileError(f"{self.what}: expected an object, got {type(data).__name__}")
        if missing := self.missing(data):
            raise ForeignFileError(
                f"{self.what} lacks {', '.join(missing)}; expected a sender as new as this"
            )
        try:
            message = self.adapter.validate_json(text, strict=True)
        except ValidationError as error:
            raise ForeignFileError(f"{self.what}: {faults_of(error)}") from error
        return message, self.note_on_unknown(data)

    def missing(self, data: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields that a message lacks."""
        needed = self._names - self._may_lack
        return tuple(sorted(needed - data.keys()))

    def note_on_unknown(self, data: Mapping[str, Any]) -> str:
        """A note that names fields which only a newer version knows; empty if there are none."""
        unknown = sorted(data.keys() - self._names)
        if not unknown:
            return ""
        return f"{self.what} has fields that this version ignores: {quoted(', '.join(unknown))}"
