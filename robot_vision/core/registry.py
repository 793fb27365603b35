"""Items looked up by name: duplicates and unknown names raise, listing what is available."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from robot_vision.core.discovery import import_all
from robot_vision.core.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from names to items of one kind, filled by the decorator `register`.

    With `package`, all modules below it are imported before the first look-up, so a file there
    that registers an item needs no list.
    """

    def __init__(self, kind: str, *, package: str = "") -> None:
        self._kind = kind
        self._package = package
        self._items: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        def add(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self._kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return add

    def get(self, name: str) -> T:
        """Return the item called `name`; raises `UnknownNameError` listing the available names."""
        self._discover()
        if name not in self._items:
            close = get_close_matches(name, self._items, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            available = ", ".join(sorted(self._items)) or "none"
            raise UnknownNameError(f"unknown {self._kind} {name!r}; available: {available}{hint}")
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        self._discover()
        return iter(sorted(self._items))

    def __len__(self) -> int:
        self._discover()
        return len(self._items)

    def _discover(self) -> None:
        if self._package:
            import_all(self._package)
