"""The expression that finds stored metadata by a request's: every value in it is a variable.

The same text is XPath 1.0 and XQuery, so that a file and an XML database find the same. What it
matches: a subject of the same namespace, or of any where the request's is nmwg's; every attribute
below it; parameters of one name with any of its values; any of the event types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from aggregator.measurement.merging import subject_of
from aggregator.wire.nmwg_metadata import event_types, parameter_blocks, value_of
from aggregator.wire.nmwg_names import NMWG, SELECT
from aggregator.wire.parse import Element, text_of

#: Values in one search; what is stored has a dozen.
MOST_VALUES = 200
#: Parameters that say nothing of what is stored.
_IGNORED = frozenset(
    {"startTime", "endTime", "time", "resolution", "consolidationFunction"}
    | {"supportedEventType", "eventType"}
)
_NAMED = "*[local-name()=${} and namespace-uri()=${}]"


@dataclass(slots=True)
class Search:
    """An expression for metadata elements, and the values of its variables by their names."""

    conditions: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def condition(self) -> str:
        """What is true of a metadata that is found."""
        return " and ".join(self.conditions) or "true()"

    def variable(self, value: str) -> str:
        """The name of a variable with this value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return name


def search_for(metadata: Element) -> Search | None:
    """The search for a request's metadata; None where it names more than anything stored has."""
    search = Search()
    subject = subject_of(metadata)
    if subject is not None:
        search.conditions.append(_subject(search, subject))
    search.conditions += _parameters(search, metadata)
    types = event_types(metadata)
    if types:
        search.conditions.append(_event_types(search, types))
    return search if len(search.values) <= MOST_VALUES else None


def _subject(search: Search, subject: Element) -> str:
    namespace, _ = _names(subject)
    inner = _inside(search, subject)
    if namespace == NMWG:
        return f"*[local-name()='subject'{inner}]"
    name = search.variable(namespace)
    return f"*[local-name()='subject' and namespace-uri()=${name}{inner}]"


def _inside(search: Search, element: Element) -> str:
    """What has to hold inside of an element: its attributes but ids, and its elements."""
    conditions = [
        f"@{name!s}=${search.variable(str(value))}"
        for name, value in element.attrib.items()
        if name in ("value", "type", "port", "name")
    ]
    conditions += _other_attributes(search, element)
    text = text_of(element)
    if text:
        same = f"normalize-space(.)=normalize-space(${search.variable(text)})"
        # Of an element with others in it, XQuery has several texts.
        conditions.append(f"text()[{same}]" if len(element) else same)
    conditions += _elements(search, element)
    return "".join(f" and {condition}" for condition in conditions)


def _elements(search: Search, element: Element) -> Iterable[str]:
    for child in element.iterchildren("*"):
        if len(search.values) > MOST_VALUES:
            break
        namespace, local = _names(child)
        named = _NAMED.format(search.variable(local), search.variable(namespace))
        inner = _inside(search, child).removeprefix(" and ")
        yield f"{named}[{inner}]" if inner else named


def _other_attributes(search: Search, element: Element) -> Iterable[str]:
    for name, value in element.attrib.items():
        is_reference = name == "id" or str(name).endswith("IdRef")
        if not is_reference and name not in ("value", "type", "port", "name"):
            namespace, local = _split(str(name))
            names = search.variable(local), search.variable(namespace)
            named = f"@*[local-name()=${names[0]} and namespace-uri()=${names[1]}]"
            yield f"{named}=${search.variable(str(value))}"


def _parameters(search: Search, metadata: Element) -> Iterable[str]:
    wanted: dict[str, list[Element]] = {}
    for block in parameter_blocks(metadata):
        if _names(block)[0] != SELECT:
            for one in block.iterchildren("{*}parameter"):
                name = one.get("name", "")
                if name and name not in _IGNORED:
                    wanted.setdefault(name, []).append(one)
    for name, parameters in wanted.items():
        any_of = " or ".join(_value(search, one) for one in parameters[: MOST_VALUES + 1])
        yield (
            "*[local-name()='parameters']"
            f"/*[local-name()='parameter'][@name=${search.variable(name)}][{any_of}]"
        )


def _value(search: Search, parameter: Element) -> str:
    value = value_of(parameter)
    if value:
        name = search.variable(value)
        return f"@value=${name} or normalize-space(.)=normalize-space(${name})"
    # What has elements in place of a value, such as a schedule, is compared with all of them.
    inside = " and ".join(_elements(search, parameter))
    return f"({inside})" if inside else "(not(*) and normalize-space(.)='' and not(@value!=''))"


def _event_types(search: Search, types: list[str]) -> str:
    names = [search.variable(one) for one in dict.fromkeys(types[: MOST_VALUES + 1])]
    texts = " or ".join(f"normalize-space(.)=${name}" for name in names)
    values = " or ".join(f"@value=${name}" for name in names)
    return (
        f"(*[local-name()='eventType'][{texts}] or *[local-name()='parameters']"
        "/*[local-name()='parameter'][@name='eventType' or @name='supportedEventType']"
        f"[{texts} or {values}])"
    )


def _names(element: Element) -> tuple[str, str]:
    return _split(str(element.tag))


def _split(name: str) -> tuple[str, str]:
    namespace, _, local = name.rpartition("}")
    return namespace.removeprefix("{"), local
