"""Who may do what with reports: by the secret that a request bears, or its client certificate."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from aggregator.config.report_tokens import ReportRights, digest_of
from aggregator.server.callers import caller_of

_SCHEME = "bearer "
#: Characters of a secret at most; nobody needs the digest of more.
_LONGEST = 1000


class Access:
    """Everybody of the file of tokens."""

    def __init__(self, everybody: Sequence[ReportRights]) -> None:
        self._by_digest = {one.digest: one for one in everybody if one.digest is not None}
        self._by_certificate = {one.certificate: one for one in everybody if one.certificate}

    def who(self, environ: Mapping[str, Any]) -> ReportRights | None:
        """Who sends a request: by the secret, where it bears one; None for nobody known."""
        header = str(environ.get("HTTP_AUTHORIZATION") or "")
        if header:
            if header[: len(_SCHEME)].lower() != _SCHEME or len(header) > _LONGEST:
                return None
            return self._of_secret(header[len(_SCHEME) :].strip())
        identity = caller_of(environ).identity
        return self._by_certificate.get(identity) if identity else None

    def _of_secret(self, secret: str) -> ReportRights | None:
        # By the digest: how long it takes to find that tells nothing about the secret.
        digest = digest_of(secret)
        found = self._by_digest.get(digest)
        if found is None or not hmac.compare_digest(found.digest or b"", digest):
            return None
        return found


def allows(patterns: Iterable[str], name: str) -> bool:
    """Whether a name is one of those that the patterns stand for."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
