"""The settings that an action is given, by the operator alone: a JSON object in its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from aggregator.config.secrets import read_secret
from aggregator.errors import ActionUnconfigured

T = TypeVar("T")

VARIABLE = "AGGREGATOR_ACTION_SETTINGS"


class Given:
    """Settings by the names that they have in the section ``[actions]``."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Given:
        """What the environment gives; ActionUnconfigured where it is no JSON object."""
        try:
            values = json.loads(environ.get(VARIABLE) or "{}")
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise ActionUnconfigured(f"{VARIABLE} holds no JSON object")
        return cls(values)

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        return self._of(str, key, default)

    def needed(self, key: str) -> str:
        """A text without which nothing can be done."""
        if not (found := self.text(key)):
            raise ActionUnconfigured(f"set actions.{key}")
        return found

    def whole(self, key: str, default: int) -> int:
        """A whole number."""
        return self._of(int, key, default)

    def seconds(self, key: str, default: float) -> float:
        """A duration in seconds, above zero."""
        found = self._values.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or found <= 0:
            raise self._refused(key, "a number of seconds")
        return float(found)

    def truth(self, key: str) -> bool:
        """A yes or no, no where nothing is said."""
        return bool(self._values.get(key, False))

    def texts(self, key: str) -> list[str]:
        """One text or more."""
        found = self._values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._refused(key, "a list of texts")
        if not found:
            raise ActionUnconfigured(f"set actions.{key}")
        return found

    def secret(self, key: str) -> str:
        """What the file holds that a setting names; empty where it names none."""
        if not (name := self.text(key)):
            return ""
        try:
            return read_secret(name)
        except ValueError as error:
            raise ActionUnconfigured(f"actions.{key}: {error}") from error

    def _of(self, kind: type[T], key: str, default: T) -> T:
        found = self._values.get(key, default)
        if not isinstance(found, kind):
            raise self._refused(key, f"of the kind {kind.__name__}")
        return found

    def _refused(self, key: str, expected: str) -> ActionUnconfigured:
        # Without the value, which may be a secret.
        return ActionUnconfigured(f"{key} in {VARIABLE} is not {expected}")
