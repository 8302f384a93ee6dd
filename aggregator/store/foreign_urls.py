"""URLs of databases that are not the service's own."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError


def with_driver(place: str | URL) -> URL:
    """The URL, whose driver is there; raises ValueError with what is missing, in brackets.

    It tells nothing else, since the cause may tell a part of the password.
    """
    try:
        url = make_url(place)
        url.get_backend_name()
        url.get_dialect().import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError) as error:
        is_told = isinstance(error, NoSuchModuleError | ImportError)
        raise ValueError(f" ({error})" if is_told else "") from None
    return url
