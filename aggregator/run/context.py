"""What the supervisor hands to the processes of its roles: where settings come from, what is bound.

Every process reads the settings itself, so that a SIGHUP re-reads them in each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from aggregator.config import (
    ConfigurationError,
    Further,
    Problem,
    Settings,
    load_settings,
    with_restart_values,
)

#: With what a role ends that can't use its settings.
WRONG_CONFIGURATION = 2


@dataclass(frozen=True, slots=True)
class RunContext:
    """The command line's part of the settings, and the listener's file descriptor and address.

    ``public_url`` is that of the settings, or made from the bound address. ``fixed`` are the
    values of the settings that need a restart, as they were when the service was started.
    ``accepted`` is the descriptor of memory with the file's content as it was accepted last; the
    file itself, where it is -1. A role that dies is started again at any time, and must not find
    a file that is being edited.
    """

    config: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    listener: int = -1
    public_url: str = ""
    fixed: Mapping[str, object] = field(default_factory=dict)
    accepted: int = -1

    def settings(self, *, further: Further | None = None) -> Settings:
        """Read the settings now, checked by `further` as well; raises ConfigurationError."""
        file = Path(self.config) if self.config else None
        content = None if self.accepted < 0 else _content(self.accepted)
        settings = load_settings(
            file,
            environ=dict(os.environ),
            options=self.options,
            content=content,
            further=further,
        )
        settings = with_restart_values(settings, self.fixed)
        if settings.server.public_url or not self.public_url:
            return settings
        return replace(settings, server=replace(settings.server, public_url=self.public_url))

    def taken(self) -> RunContext:
        """One with what the file holds now, in memory of its own; raises ConfigurationError."""
        if not self.config:
            return self
        try:
            content = Path(self.config).read_bytes()
        except OSError as error:
            problem = Problem(f"can't be read: {error.strerror}", source=self.config)
            raise ConfigurationError((problem,)) from error
        memory = os.memfd_create("configuration")
        _put(content, memory)
        return replace(self, accepted=memory)

    def accept(self, taken: RunContext) -> None:
        """Let what another one took be the content for all processes that share this one's."""
        if self.accepted >= 0:
            _put(_content(taken.accepted), self.accepted)

    def close(self) -> None:
        """Give the memory back."""
        if self.accepted >= 0:
            os.close(self.accepted)

    def inherited(self, *, role: str) -> tuple[int, ...]:
        """The descriptors that a role's process needs."""
        wanted = (self.accepted, self.listener if role == "web" else -1)
        return tuple(descriptor for descriptor in wanted if descriptor >= 0)


def _content(memory: int) -> bytes:
    return os.pread(memory, os.fstat(memory).st_size, 0)


def _put(content: bytes, memory: int) -> None:
    os.pwrite(memory, content, 0)
    os.ftruncate(memory, len(content))


def metrics_dir(settings: Settings) -> Path:
    """Where the processes of this host keep their shares of the metrics."""
    return settings.server.data_dir / "metrics"
