"""What some faults tell beside the words: limits and names, and that nothing was changed.

The former are of WS-BaseNotification 1.3, the latter of WS-ResourceProperties 1.2.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from aggregator import errors
from aggregator.wire.dialects import Dialect
from aggregator.wire.times import format_datetime

#: Most names that are told one by one.
_MOST = 5
_NAMES: dict[type[Exception], str] = {
    errors.InvalidFilter: "UnknownFilter",
    errors.UnrecognizedPolicy: "UnrecognizedPolicy",
    errors.UnsupportedPolicy: "UnsupportedPolicy",
}


def more_of(error: Exception, dialect: Dialect) -> str:
    """The elements after those of a BaseFault, with the prefix ``f`` taken as declared.

    The drafts have none.
    """
    if dialect.family == "gt4":
        return ""
    if isinstance(error, errors.UnacceptableInitialTime):
        times = f"<f:MinimumTime>{format_datetime(error.minimum)}</f:MinimumTime>"
        if error.maximum is not None:
            times += f"<f:MaximumTime>{format_datetime(error.maximum)}</f:MaximumTime>"
        return times
    if isinstance(error, errors.InvalidModification | errors.NotModifiable):
        return '<f:ResourcePropertyChangeFailure Restored="true"/>'
    name = _NAMES.get(type(error), "")
    unknown: tuple[str, ...] = getattr(error, "unknown", ()) if name else ()
    return "".join(_named(name, clark) for clark in unknown[:_MOST])


def _named(name: str, clark: str) -> str:
    namespace, _, local = clark.rpartition("}")
    if not namespace:
        return f"<f:{name}>{local}</f:{name}>"
    return f"<f:{name} xmlns:u={quoteattr(namespace[1:])}>u:{local}</f:{name}>"
