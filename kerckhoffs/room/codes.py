"""The code of a room, which people type, and the tokens of a speaker and of a phone, which nobody does."""

import re
import secrets

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # nothing that looks like something else
LENGTH = 6  # 29.7 bits: who may guess once a second finds one of four rooms in six years
CODE = re.compile(f"[{ALPHABET}]{{{LENGTH}}}")
PHONE = re.compile("[0-9a-f]{32}")


def code() -> str:
    """A new room's."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def read(text: str) -> str | None:
    """A code as somebody typed it; None if it is none."""
    typed = text.upper()
    return typed if CODE.fullmatch(typed) else None


def token() -> str:
    """A new speaker's."""
    return secrets.token_urlsafe(24)


def same(one: str, other: str) -> bool:
    """Whether two tokens are equal, in a time that does not tell how much of them is."""
    return secrets.compare_digest(one.encode(), other.encode())


def is_phone(text: object) -> bool:
    """Whether something is a phone's token."""
    return isinstance(text, str) and PHONE.fullmatch(text) is not None
