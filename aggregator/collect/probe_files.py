"""Files that are executed, or obeyed: inside their folder and writable by no one else."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tomllib
from pathlib import Path

from aggregator.errors import ConfigError


def require_trusted(path: Path, *, told: str) -> None:
    """ConfigError unless root or this user owns the file or folder and nobody else may write it.

    Write permission of a group is taken where the group is the owner's private one, which a umask
    of 002 leaves on every file of a checkout.
    """
    facts = path.stat()
    if facts.st_uid not in {0, os.geteuid()}:
        owner = facts.st_uid
        raise ConfigError(
            f"{told} belongs to user {owner}; root or this service's user must own it"
        )
    if facts.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{told} may be written by everybody; take that away (chmod o-w)")
    if facts.st_mode & stat.S_IWGRP and not _is_private(facts.st_gid, owner=facts.st_uid):
        raise ConfigError(f"{told} may be written by its group; take that away (chmod g-w)")


def _is_private(group: int, *, owner: int) -> bool:
    try:
        name, entry = pwd.getpwuid(owner).pw_name, grp.getgrgid(group)
    except KeyError:
        return False
    return entry.gr_name == name and set(entry.gr_mem) <= {name}


def locate(folder: Path, path: str) -> Path:
    """The real path of an executable file beneath `folder`; ConfigError that says what is wrong."""
    try:
        real = (folder / path).resolve(strict=True)
    except (OSError, RuntimeError):
        raise ConfigError("does not exist") from None
    if not real.is_relative_to(folder):
        raise ConfigError("leads outside the probe folder")
    if not real.is_file() or not os.access(real, os.X_OK):
        raise ConfigError("is no executable file")
    for place in (real, *real.parents):
        if place == folder:
            break
        require_trusted(place, told="it")
    return real


def read_checks(file: Path) -> dict[str, list[str]]:
    """The table ``[checks]`` of a probe's TOML file: a name and its words each; ConfigError."""
    told = f"the file of checks {str(file)!r}"
    require_trusted(file, told=told)
    try:
        with file.open("rb") as opened:
            checks = tomllib.load(opened).get("checks")
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{told} can't be read: {error}") from error
    if not isinstance(checks, dict):
        raise ConfigError(f"{told} needs a table [checks]")
    for name, words in checks.items():
        texts = isinstance(words, list) and all(isinstance(word, str) for word in words)
        if not texts or not words:
            wanted = 'a list of texts, such as ["check_load", "-w", "5,5,5"]'
            raise ConfigError(f"{told}: the check {name!r} must be {wanted}")
    return checks
