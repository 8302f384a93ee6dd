"""Ask members for resource properties: the three poll types of WS-ResourceProperties."""

from __future__ import annotations

from collections.abc import Iterable

from lxml import etree

from aggregator.contract import (
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Group,
    SourceType,
)
from aggregator.errors import CollectError, ConfigError, InvalidQuery
from aggregator.model import Plan
from aggregator.wire.dialects import (
    DIALECTS,
    GET_PROPERTIES,
    GET_PROPERTY,
    GT4,
    LITE,
    OASIS,
    QUERY_PROPERTIES,
)
from aggregator.wire.namespaces import AGG, WSA_2005_08, XPATH_1, XPATH_DIALECTS, clark
from aggregator.wire.parse import Element, text_of
from aggregator.wire.qnames import read_qname
from aggregator.wire.xpath import check_expression

from ._block import children, only_child, read_address, read_interval
from ._reply import NotSpoken, read_content
from ._request import Question, build_requests, write_request

NAME = "QueryAggregatorSource"
GET_ONE = clark(AGG, "GetResourcePropertyPollType")
GET_SEVERAL = clark(AGG, "GetMultipleResourcePropertiesPollType")
QUERY = clark(AGG, "QueryResourcePropertiesPollType")
#: Says in an AggregatorConfig which dialect the member speaks; without it, it is found out.
DIALECT = clark("urn:mds-aggregator:source", "Dialect")

#: Characters that the names of properties come to, each with its namespace: a short prefix may
#: stand for a very long one.
_MOST_NAMES = 16 * 1024 * 1024


class QueryAggregatorSource(AggregatorSource):
    """Collects resource properties with GetResourceProperty and its kin, over SOAP 1.1.

    Where the registration does not say which dialect the member speaks, the one of its EPR is
    tried first and the others where it is not understood; what worked is remembered.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block and build the requests that will be sent."""
        interval = read_interval(block.element, group=group)
        question = _question(block.element)
        data = {
            "url": read_address(block),
            "operation": question.operation,
            "dialects": _dialects(block),
            "requests": build_requests(question, member=block.member),
        }
        return Plan(NAME, interval, data)

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Ask once, in the dialect that is known, else in each until one is understood."""
        remembered = context.memory.get("dialect", "")
        names = plan.data["dialects"]
        assert isinstance(names, list)
        first: CollectError | None = None
        for name in sorted(names, key=lambda name: name != remembered):
            try:
                content = await _ask(plan, name, context)
            except NotSpoken as error:
                first = first or error
                continue
            return Collected(content, {} if name == remembered else {"dialect": name})
        assert first is not None
        raise first


async def _ask(plan: Plan, dialect: str, context: Context) -> tuple[bytes, ...]:
    body, headers = write_request(plan, DIALECTS[dialect])
    reply = await context.http.post(str(plan.data["url"]), body, headers=headers)
    return read_content(reply, operation=str(plan.data["operation"]), dialect=DIALECTS[dialect])


def _question(block: Element) -> Question:
    if block.tag == GET_ONE:
        name = only_child(block, "ResourcePropertyName")
        return Question(GET_PROPERTY.name, names=(read_qname(name),))
    if block.tag == GET_SEVERAL:
        names = children(block, "ResourcePropertyNames")
        if not names:
            raise ConfigError("missing; at least one is needed", element="ResourcePropertyNames")
        return Question(GET_PROPERTIES.name, names=_names(names))
    return _query(only_child(block, "QueryExpression"))


def _names(elements: Iterable[Element]) -> tuple[str, ...]:
    names: list[str] = []
    size = 0
    for element in elements:
        names.append(read_qname(element))
        size += len(names[-1])
        if size > _MOST_NAMES:
            raise ConfigError(
                f"with their namespaces they come to more than {_MOST_NAMES} characters",
                element="ResourcePropertyNames",
            )
    return tuple(names)


def _query(element: Element) -> Question:
    """The XPath 1.0 of a QueryExpression, with the prefixes that are in scope there."""
    dialect = next(
        (
            text.strip()
            for name, text in element.attrib.items()
            if str(name).rpartition("}")[2] == "Dialect"
        ),
        "",
    )
    if dialect not in XPATH_DIALECTS:
        given = f"the Dialect {dialect[:100]!r} is unknown" if dialect else "the Dialect is missing"
        raise ConfigError(f"{given}; expected {XPATH_1}", element="QueryExpression")
    expression = text_of(element)
    if not expression or next(element.iterchildren(tag="*"), None) is not None:
        raise ConfigError("an XPath 1.0 expression is expected as text", element="QueryExpression")
    scope = {prefix: uri for prefix, uri in element.nsmap.items() if prefix}
    try:
        # The body was limited already, and the member says how much it evaluates.
        check_expression(expression, scope, longest=len(expression))
        etree.XPath(expression, namespaces=scope)
    except InvalidQuery as error:
        raise ConfigError(f"{expression[:100]!r}: {error}", element="QueryExpression") from error
    except etree.XPathSyntaxError as error:
        raise ConfigError(
            f"{expression[:100]!r} is no XPath 1.0: {error}", element="QueryExpression"
        ) from error
    return Question(QUERY_PROPERTIES.name, expression=expression, scope=scope)


def _dialects(block: ConfigBlock) -> list[str]:
    """The dialects to try, in order: the one that is configured, or all, likeliest first."""
    given = [text_of(element) for element in block.config.iter(DIALECT)]
    if not given:
        if block.member.wsa == WSA_2005_08:
            return [OASIS.name, LITE.name, GT4.name]
        return [GT4.name, OASIS.name, LITE.name]
    if len(given) > 1 or given[0] not in DIALECTS:
        raise ConfigError(
            f"{', '.join(given)[:100]!r} is unknown; expected one of {', '.join(DIALECTS)}",
            element="Dialect",
        )
    return given


PLUGIN = SourceType(NAME, (GET_ONE, GET_SEVERAL, QUERY), QueryAggregatorSource())
