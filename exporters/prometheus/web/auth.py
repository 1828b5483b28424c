"""HTTP basic authentication against bcrypt hashes, at a bounded cost.

bcrypt is slow on purpose (65 ms at cost 10), and a scraper sends its password with every request. So the right answer of each user
is remembered, as a keyed digest that says nothing outside this process; one hash is computed at a time; and a wrong
answer costs the same whoever gives it, one hash of each cost that there is, so that nobody learns names from the time it takes.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sctune.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_WAITING = 32
"""Passwords that wait to be looked at; with cost 10 the last one waits for two seconds, with different costs for their sum."""
_LONGEST_PASSWORD = 72
"""bcrypt looks at no more bytes; its Python package refuses longer ones, htpasswd and Go cut them off."""


class Crowded(Exception):
    """Too many passwords wait to be looked at."""


class Users:
    """The users of one configuration. Raises UserError where there are some and the package bcrypt is missing."""

    def __init__(self, hashes: Mapping[str, bytes]) -> None:
        self._hashes = dict(hashes)
        self._key = os.urandom(32)
        self._right: dict[str, bytes] = {}
        self._waiting = 0
        self._pool: ThreadPoolExecutor | None = None
        if self._hashes:
            self._matches = _bcrypt()
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="password")
            # Nobody's, one of each cost: no password is looked for that would give them.
            self._nobodys = {_cost(hashed): hashed[:7] + b"." * 53 for hashed in self._hashes.values()}

    def __bool__(self) -> bool:
        return bool(self._hashes)

    async def admits(self, authorization: str | None) -> bool:
        """Whether a request with this Authorization header may pass. Raises Crowded."""
        if not self._hashes:
            return True
        given = _credentials(authorization)
        if given is None:
            return False
        name, password = given
        digest = hmac.digest(self._key, name.encode() + b"\0" + password, hashlib.sha256)
        if hmac.compare_digest(self._right.get(name, b""), digest):
            return True
        if self._waiting >= MOST_WAITING:
            raise Crowded
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._pool, self._is_right, name, password[:_LONGEST_PASSWORD])
        finally:
            self._waiting -= 1
        if right:
            self._right[name] = digest
        return right

    def _is_right(self, name: str, password: bytes) -> bool:
        hashed = self._hashes.get(name)
        if hashed is not None and self._matches(password, hashed):
            return True
        for cost, nobodys in self._nobodys.items():
            if hashed is None or cost != _cost(hashed):
                self._matches(password, nobodys)
        return False

    def close(self) -> None:
        """Looks at no more passwords."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def _cost(hashed: bytes) -> bytes:
    return hashed[4:6]


def _credentials(authorization: str | None) -> tuple[str, bytes] | None:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon and b"\0" not in password else None
    except (binascii.Error, ValueError):
        return None


def _bcrypt() -> Callable[[bytes, bytes], bool]:
    try:
        import bcrypt
    except ImportError:
        hint = "pip install 'sctune[auth]', or the package python3-bcrypt of the distribution"
        raise UserError("basic_auth_users needs the Python package bcrypt, which is not installed", hint) from None
    checkpw = bcrypt.checkpw

    def matches(password: bytes, hashed: bytes) -> bool:
        try:
            return bool(checkpw(password, hashed))
        except ValueError:
            return False

    return matches
