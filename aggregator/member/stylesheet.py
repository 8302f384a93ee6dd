"""XSLT 1.0 without a way out: no files, no network, no further stylesheets."""

from __future__ import annotations

import os
from pathlib import Path

from lxml import etree

from aggregator.errors import ConfigError, MalformedRequest
from aggregator.member.settings import Stylesheet
from aggregator.wire.parse import parse, serialise

_XSL = "http://www.w3.org/1999/XSL/Transform"
# libxslt loads these while it compiles, before any access control is asked.
_LOADING = (f"{{{_XSL}}}import", f"{{{_XSL}}}include")
# The stubs of lxml do not know its arguments.
_NOTHING_ALLOWED = etree.XSLTAccessControl(  # type: ignore[call-arg]
    read_file=False, write_file=False, create_dir=False, read_network=False, write_network=False
)


def read_stylesheet(path: Path) -> Stylesheet:
    """The stylesheet in a file, tried; raises ConfigError where it can't be read or compiled."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {os.strerror(error.errno or 0)}") from error
    compile_stylesheet(content)
    return Stylesheet(path, content)


def compile_stylesheet(text: bytes) -> etree.XSLT:
    """The compiled stylesheet; document() and writing are denied. Raises ConfigError."""
    try:
        root = parse(text)
        if next(root.iter(*_LOADING), None) is not None:
            raise ConfigError("xsl:import and xsl:include are not followed: write one stylesheet")
        return etree.XSLT(root, access_control=_NOTHING_ALLOWED)
    except (MalformedRequest, etree.XSLTParseError) as error:
        raise ConfigError(f"no stylesheet of XSLT 1.0: {error}") from error


def apply_stylesheet(text: bytes, document: bytes) -> bytes:
    """The root element that the stylesheet makes of `document`; ConfigError where it can't."""
    transform = compile_stylesheet(text)
    try:
        result = transform(parse(document)).getroot()
    except (MalformedRequest, etree.XSLTApplyError) as error:
        raise ConfigError(f"the stylesheet could not be applied: {error}") from error
    if result is None:
        raise ConfigError("the stylesheet made no element")
    return serialise(result)
