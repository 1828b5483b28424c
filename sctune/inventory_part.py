"""How parts of an inventory are fetched: when first asked for, once, several at the same time where they wait."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from sctune.unavailable import Reason, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sctune.config.model import Config
    from sctune.host.base import Clock, Host, HostIdentity

T = TypeVar("T")


class Part(Generic[T]):
    """A lazily fetched part of the inventory: a property with a lock of its own, so that parts are fetched side by side
    and each once. A defect in a probe is a part that failed, never a traceback in front of an operator."""

    def __init__(self, fetch: Callable[[Any], T | Unavailable]) -> None:
        self.fetch = fetch
        self.name = fetch.__name__
        self.__doc__ = fetch.__doc__

    @overload
    def __get__(self, inventory: None, owner: type) -> Part[T]: ...
    @overload
    def __get__(self, inventory: Fetched, owner: type) -> T | Unavailable: ...
    def __get__(self, inventory: Fetched | None, owner: type) -> Part[T] | T | Unavailable:
        if inventory is None:
            return self
        if self.name in inventory.parts:  # nearly always, and it never changes again: no lock
            return cast("T | Unavailable", inventory.parts[self.name])
        with inventory.lock(self.name):
            if self.name not in inventory.parts:
                inventory.fetching.add(self.name)
                inventory.parts[self.name] = self._guarded(inventory)
                inventory.fetching.discard(self.name)
        return cast("T | Unavailable", inventory.parts[self.name])

    def _guarded(self, inventory: Fetched) -> T | Unavailable:
        try:
            return self.fetch(inventory)
        except Exception as error:
            if inventory.strict:
                raise
            return Unavailable(
                reason=Reason.FAILED,
                what=f"probe {self.name}",
                detail=f"defect in sctune, please report: {type(error).__name__}: {error}",
            )


class Fetched:
    """A look at one host, of which classes that inherit declare the parts. `strict` lets a probe's exception through (tests)."""

    def __init__(self, host: Host, config: Config, *, strict: bool = False) -> None:
        self.host = host
        self.config = config
        self.strict = strict
        self.began = time.monotonic()
        self.parts: dict[str, object] = {}
        self.fetching: set[str] = set()
        """Parts that were asked for and have not answered yet: what is waited for."""
        self._locks: dict[str, threading.RLock] = {}
        self._guard = threading.Lock()

    def lock(self, name: str) -> threading.RLock:
        """The lock of one part."""
        with self._guard:
            return self._locks.setdefault(name, threading.RLock())

    def fetch(self, names: Iterable[str]) -> None:
        """Fetches parts side by side. Each probe keeps its own deadline; this returns when all have answered."""
        for thread in self.start(names):
            thread.join()

    def start(self, names: Iterable[str]) -> list[threading.Thread]:
        """Begins to fetch parts and does not wait for them: whoever asks for one does."""
        threads = [threading.Thread(target=getattr, args=(self, name, None), name=f"probe-{name}", daemon=True) for name in names]
        for thread in threads:
            thread.start()
        return threads

    @property
    def identity(self) -> HostIdentity:
        """Name, kernel, rights."""
        return self.host.identity()

    @property
    def clock(self) -> Clock:
        """When the look began."""
        return self.host.clock()

    @classmethod
    def all_parts(cls) -> dict[str, Part[Any]]:
        """The parts by name, in the order in which they are declared."""
        return {name: part for kind in reversed(cls.__mro__) for name, part in vars(kind).items() if isinstance(part, Part)}
