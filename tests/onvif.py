"""Where the WSDLs of ONVIF are, which come with the client onvif-zeep."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_spec = find_spec("onvif")
assert _spec is not None, "onvif-zeep is not installed"
assert _spec.origin is not None

ONVIF = Path(_spec.origin).parent.parent / "wsdl"
"""The folder."""
