"""The errors of the actions of triggers, one for each way in which an action may end badly."""

from __future__ import annotations

from aggregator.errors.core import AggregatorException


class ActionError(AggregatorException):
    """Raised when an action could not be done, and would not be at another time either."""


class ActionPostponed(ActionError):
    """Raised when an action could not be done now: whoever asked for it tries again later."""


class ActionUnconfigured(ActionError):
    """Raised when an action lacks a setting, or has one that can't be used."""


class AlertUnreadable(ActionError):
    """Raised when what an action was given is no alert."""
