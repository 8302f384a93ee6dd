"""Makes Spyne 2.14 fit: on Python 3.12 and 3.13, and under load; import it before any of Spyne.

Spyne carries a copy of six whose import hook Python 3.12 no longer runs, and imports ``cgi``,
which left the standard library in 3.13 (the ``legacy-cgi`` distribution brings it back). The
fixes are merged upstream but in no release.
"""

from __future__ import annotations

import logging
import math
import sys
import warnings

import six


def _install() -> None:
    if "spyne" not in sys.modules and sys.version_info >= (3, 12):
        # Spyne's own addition to its copy of six.
        six.get_function_name = lambda function: function.__name__
        prefix = "spyne.util.six"
        sys.modules[prefix] = six
        moves = six.moves
        sys.modules[f"{prefix}.moves"] = moves
        for name in (
            "collections_abc",
            "http_client",
            "http_cookies",
            "urllib",
            "urllib.parse",
            "urllib.request",
            "urllib.error",
            "urllib.response",
        ):
            module = moves
            for part in name.split("."):
                module = getattr(module, part)
            sys.modules[f"{prefix}.moves.{name}"] = module
    with warnings.catch_warnings():
        # Spyne imports deprecated modules; its users can do nothing about that.
        warnings.simplefilter("ignore")
        import spyne.const  # noqa: PLC0415
        import spyne.protocol.soap  # noqa: PLC0415
        import spyne.server.wsgi  # noqa: PLC0415
    # Spyne logs every fault with its traceback; ours are answers, logged once as such.
    logging.getLogger(spyne.__name__).setLevel(logging.CRITICAL + 1)
    # Spyne collects all garbage once a second, in the midst of a request, to have files closed; in
    # that time, which grows with the entries of all groups, no other request is worked on.
    spyne.const.MIN_GC_INTERVAL = math.inf


_install()
