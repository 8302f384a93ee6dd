"""What keeps a probe from its work."""

from __future__ import annotations


class Misuse(Exception):
    """Raised with the one line that says what is wrong."""
