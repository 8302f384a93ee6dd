"""Names in reports: of nodes, of types, of single reports."""

from __future__ import annotations

import re

NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
"""Names of nodes; those of hosts are among them."""
TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
"""Types of reports, REQUESTs and updates."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
"""What a report is known by, with its node."""

CONTENT_TYPES = {
    "bytes": "application/octet-stream",
    "text": "text/plain; charset=utf-8",
    "json": "application/json",
}
"""The media type by the form of what a module returned."""
