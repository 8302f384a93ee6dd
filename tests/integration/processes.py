"""The processes of a service, as the machine shows them."""

from __future__ import annotations

import psutil

from tests.chaos.victims import role_of
from tests.service import RunningService


def workers(service: RunningService) -> list[psutil.Process]:
    """The web workers: the children of the role's process."""
    web = role_of(service, "web")
    return web.children() if web else []
