"""Rules of triggers: read from the TriggerRuleType of MDS4 4.0, and what any rule must be.

The names are those of MDS4's trigger types; what GT 4.2 calls otherwise is mapped to them where
its properties are written (``aggregator.triggers.resource``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from lxml import etree

from aggregator.errors import ConfigError, InvalidQuery
from aggregator.wire.namespaces import TRIGGER, clark
from aggregator.wire.parse import Element, text_of
from aggregator.wire.times import parse_datetime
from aggregator.wire.xpath import check_expression

RULE = clark(TRIGGER, "TriggerRuleType")
LONGEST_EXPRESSION = 16 * 1024
#: Longest of what is given in seconds: a hundred years.
_MOST_SECONDS = 100 * 366 * 86400
_MOST_RANGES, _MOST_MAPPINGS = 64, 256
_WHOLE = re.compile(r"\+?\d+", re.ASCII)
_MAPPING = re.compile(
    r"(?:xmlns:)?(?P<prefix>[^\W\d][\w.\-]*)\s*=\s*(?P<quote>[\"']?)(?P<uri>[^\s\"'<>]+)(?P=quote)"
)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_CHILDREN = frozenset(
    {
        "matchingRule",
        "actionScript",
        "minimumFiringInterval",
        "minimumMatchTime",
        "namespaceMappings",
        "invalidityTime",
        "evaluateBoolean",
        "enableFilteredActionScriptInput",
        "disableUnmodifiedActionScriptInput",
        "outputXSL",
    }
)

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """When an action is run, and what it is told.

    Times are in seconds, 0 for none; ``invalid`` are ranges of instants in which it never fires,
    each without its end; ``start`` and ``end`` bound the time in which it may. ``boolean`` is
    MDS4's evaluateBoolean, ``full_input`` whether the action is given the data, ``result_input``
    whether what the expression selected.
    """

    matching_rule: str
    action_script: str
    namespaces: tuple[tuple[str, str], ...] = ()
    minimum_firing_interval: int = 0
    minimum_match_time: int = 0
    boolean: bool = False
    full_input: bool = True
    result_input: bool = False
    invalid: tuple[Range, ...] = ()
    start: int | None = None
    end: int | None = None

    def allowed_from(self, instant: int) -> int | None:
        """The first instant from this one on at which it may fire, None where there is none."""
        if self.start is not None:
            instant = max(instant, self.start)
        for begin, end in sorted(self.invalid):
            if begin <= instant < end:
                instant = end
        return None if self.end is not None and instant >= self.end else instant

    def dumps(self) -> dict[str, Any]:
        """The rule as what JSON can say."""
        return {
            "matching_rule": self.matching_rule,
            "action_script": self.action_script,
            "namespaces": [list(pair) for pair in self.namespaces],
            "minimum_firing_interval": self.minimum_firing_interval,
            "minimum_match_time": self.minimum_match_time,
            "boolean": self.boolean,
            "full_input": self.full_input,
            "result_input": self.result_input,
            "invalid": [list(pair) for pair in self.invalid],
            "start": self.start,
            "end": self.end,
        }

    @staticmethod
    def loads(found: Mapping[str, Any]) -> TriggerRule:
        """The rule that `dumps` wrote."""
        return TriggerRule(
            **{
                **found,
                "namespaces": tuple((prefix, uri) for prefix, uri in found["namespaces"]),
                "invalid": tuple((begin, end) for begin, end in found["invalid"]),
            }
        )


def read_rules(config: Element) -> list[TriggerRule]:
    """The rules of an AggregatorConfig, in order; ConfigError for one that can't work.

    Children may be written without a prefix, as the blocks of sources may.
    """
    return [_read_rule(block) for block in config.iterchildren(RULE)]


def check_rule(rule: TriggerRule) -> None:
    """Raise ConfigError, naming the element, where a rule's expression or times can't work."""
    try:
        check_expression(rule.matching_rule, dict(rule.namespaces), longest=LONGEST_EXPRESSION)
        etree.XPath(rule.matching_rule, namespaces=dict(rule.namespaces))
    except InvalidQuery as error:
        message = str(error).replace(
            "is not declared at the QueryExpression element; declare it there",
            "has no namespaceMappings; give it one (xmlns:prefix=namespace)",
        )
        raise ConfigError(message, element="matchingRule") from error
    except etree.XPathError as error:
        raise ConfigError(
            f"{rule.matching_rule[:200]!r} is no XPath 1.0: {error}", element="matchingRule"
        ) from error
    for begin, end in rule.invalid:
        if end <= begin:
            raise ConfigError("the end lies before the start", element="invalidityTime")
    if rule.start is not None and rule.end is not None and rule.end <= rule.start:
        raise ConfigError("it lies before the StartTime", element="EndTime")


def read_namespaces(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Prefixes and namespaces of texts such as ``xmlns:glue=http://...``, several in one allowed.

    ConfigError for anything else, and for a prefix that is mapped twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        rest = text
        for match in _MAPPING.finditer(text):
            if found.setdefault(match["prefix"], match["uri"]) != match["uri"]:
                raise ConfigError(
                    f"the prefix {match['prefix'][:100]!r} is mapped twice",
                    element="namespaceMappings",
                )
            rest = rest.replace(match[0], "", 1)
        if rest.strip(" \t\r\n,;"):
            raise ConfigError(
                f"{text.strip()[:200]!r} is no mapping; write xmlns:prefix=namespace",
                element="namespaceMappings",
            )
    if len(found) > _MOST_MAPPINGS:
        raise ConfigError(
            f"there are {len(found)} mappings; at most {_MOST_MAPPINGS} are taken",
            element="namespaceMappings",
        )
    return tuple(sorted(found.items()))


def read_seconds(text: str, *, element: str) -> int:
    """A whole number of seconds; ConfigError unless it is one between 0 and a hundred years."""
    found = int(text) if _WHOLE.fullmatch(text) and len(text) < 20 else -1
    if not 0 <= found <= _MOST_SECONDS:
        raise ConfigError(f"{text[:40]!r} is no whole number of seconds", element=element)
    return found


def read_truth(text: str, *, element: str) -> bool:
    """An xsd:boolean; ConfigError for anything else."""
    if text not in _TRUTH:
        raise ConfigError(f"{text[:40]!r} is neither true nor false", element=element)
    return _TRUTH[text]


def read_instant(text: str, *, element: str) -> int:
    """The instant of an xsd:dateTime; ConfigError for anything else, and for never."""
    try:
        found = parse_datetime(text)
    except ValueError as error:
        raise ConfigError(str(error), element=element) from error
    if found is None:
        raise ConfigError(f"{text[:60]!r} is no instant that comes", element=element)
    return found


def _read_rule(block: Element) -> TriggerRule:
    parts = _parts(block)
    expression = _only(parts, "matchingRule")
    mapped = dict(read_namespaces([text_of(one) for one in parts.get("namespaceMappings", ())]))
    scope = {prefix: uri for prefix, uri in expression.nsmap.items() if prefix}
    rule = TriggerRule(
        matching_rule=text_of(expression),
        action_script=text_of(_only(parts, "actionScript")),
        namespaces=tuple(sorted({**scope, **mapped}.items())),
        minimum_firing_interval=_seconds(parts, "minimumFiringInterval"),
        minimum_match_time=_seconds(parts, "minimumMatchTime"),
        boolean=_truth(parts, "evaluateBoolean"),
        full_input=not _truth(parts, "disableUnmodifiedActionScriptInput"),
        result_input=_truth(parts, "enableFilteredActionScriptInput"),
        invalid=tuple(_range(one) for one in parts.get("invalidityTime", ())),
    )
    if len(rule.invalid) > _MOST_RANGES:
        raise ConfigError(
            f"there are {len(rule.invalid)} ranges; at most {_MOST_RANGES} are taken",
            element="invalidityTime",
        )
    check_rule(rule)
    return rule


def _parts(block: Element) -> dict[str, list[Element]]:
    """The children by their local names; ConfigError for one that means nothing here."""
    parts: dict[str, list[Element]] = {}
    for child in block.iterchildren(tag="*"):
        namespace, _, local = str(child.tag).rpartition("}")
        if (namespace[1:] != TRIGGER and child.prefix) or local not in _CHILDREN:
            near = get_close_matches(local, _CHILDREN, n=1)
            told = f"did you mean {near[0]}?" if near else f"it has {', '.join(sorted(_CHILDREN))}"
            raise ConfigError(
                f"{local[:100]!r} is no part of it; {told}", element="TriggerRuleType"
            )
        parts.setdefault(local, []).append(child)
    return parts


def _only(parts: Mapping[str, Sequence[Element]], name: str) -> Element:
    found = parts.get(name, ())
    if len(found) != 1 or not text_of(found[0]):
        given = f"given {len(found)} times" if len(found) > 1 else "missing"
        raise ConfigError(f"{given}; a TriggerRuleType needs exactly one", element=name)
    return found[0]


def _optional(parts: Mapping[str, Sequence[Element]], name: str) -> str:
    return text_of(_only(parts, name)) if name in parts else ""


def _seconds(parts: Mapping[str, Sequence[Element]], name: str) -> int:
    text = _optional(parts, name)
    return read_seconds(text, element=name) if text else 0


def _truth(parts: Mapping[str, Sequence[Element]], name: str) -> bool:
    text = _optional(parts, name)
    return read_truth(text, element=name) if text else False


def _range(element: Element) -> Range:
    """A range of two instants: two child elements, or two times in one text.

    No document of MDS4 that is at hand shows the form; its notes say "datetime-range pair".
    """
    children = [text_of(child) for child in element.iterchildren(tag="*")]
    given = children or re.split(r"[\s,;/]+", text_of(element))
    if len(given) != 2:
        raise ConfigError(
            "it needs two times: those of two elements, or start/end in its text",
            element="invalidityTime",
        )
    begin, end = (read_instant(text, element="invalidityTime") for text in given)
    return begin, end
