"""What goes wrong because of what the operator asked for: told in one line, with what to do, never as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """A mistake or a bad input that the operator can put right.

    `message` is one line that names the thing (a file, an option); `hint` is what to do about it, "" where nothing helps.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message
