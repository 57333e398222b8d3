"""Passwords that are tried first everywhere (OWASP ASVS 5.0, 6.2.4).

common_passwords.txt has the 3,000 most used ones of at least eight characters: the head
of the ranked list that zxcvbn 4.5.0 ships (MIT licence), which was made from the ten
million passwords that Mark Burnett gave to the public domain in 2015.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def _common() -> frozenset[str]:
    """Return the list, read once."""
    text = files(__package__).joinpath("common_passwords.txt").read_text("utf-8")
    return frozenset(text.split())


def is_common(password: str) -> bool:
    """Return whether a password is on the list, whatever its case."""
    return password.casefold() in _common()
