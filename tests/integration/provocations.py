"""Requests that between them bring out every kind of reply and every kind of fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lxml import etree

from tests import soap
from tests.integration.spellings import SPELLINGS, Spelling
from tests.service import RunningService
from tests.soap import AGG, NS, SOAP11, Answer, EntryReference, Family
from tests.waiting import until

CONFIG = """
[query]
timeout = "1s"
[groups.Ruled]
sinks = ["index"]
membership_rules = [
  { member_interfaces = ["{urn:widgets}PortType", "{urn:widgets}Other"] },
  { content_elements = ["{urn:widgets}Licence", "bare"] },
]
[groups.Demanding]
sinks = ["index"]
membership_rules = [{ member_interfaces = ["{urn:widgets}PortType"] }]
[groups.Hidden]
sinks = ["index"]
publish_configuration = false
[groups.Plain]
sinks = ["index"]
require_source = false
[groups.Full]
sinks = ["index"]
max_entries = 1
"""
ERROR = f"{{{AGG}}}AggregatorError"
#: Nodes to the power of five.
ENDLESS = "count(//*[count(//*[count(//*[count(//*[count(//*)]) = 0]) = 0]) = 0])"
NIL = '<rl:RequestedTerminationTime xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="1"/>'
AT = "<rl:RequestedTerminationTime>2041-01-01T00:00:00Z</rl:RequestedTerminationTime>"
DURATION = "<rl:RequestedLifetimeDuration>PT1H</rl:RequestedLifetimeDuration>"


@dataclass(frozen=True, slots=True)
class Stage:
    """A service with an entry in each dialect whose member can't be reached, and one of the two."""

    service: RunningService
    family: Family
    version: str
    entry: EntryReference

    @property
    def spelling(self) -> Spelling:
        """How the requests are written."""
        return SPELLINGS[self.family]

    def at(self, group: str) -> str:
        """The address of a group."""
        return f"{self.service.url}/wsrf/services/{group}"

    def call(self, url: str, body: str, *, header: str = "") -> Answer:
        """Send a body."""
        return soap.call(url, body, header=header, soap=self.version)

    def ask(self, operation: str, inside: str = "", *, group: str = "") -> Answer:
        """Send an operation to a group."""
        body = self.spelling.body(operation, inside)
        return self.call(self.at(group) if group else self.service.group, body)

    def ask_entry(
        self, operation: str, inside: str = "", *, entry: EntryReference | None = None
    ) -> Answer:
        """Send an operation to an entry, the standing one where no other is given."""
        known = entry or self.entry
        body = self.spelling.body(operation, inside, declare='xmlns:h="urn:mds-aggregator:health"')
        return self.call(known.address, body, header=known.header)

    def ask_nothing(self, operation: str, inside: str = "") -> Answer:
        """Send an operation to an entry that is not there."""
        return self.call(f"{self.service.group}Entry/0", self.spelling.body(operation, inside))

    def query(self, expression: str, *, dialect: str = soap.XPATH) -> Answer:
        """Send a query to the group."""
        inside = f'<rp:QueryExpression Dialect="{dialect}">{expression}</rp:QueryExpression>'
        return self.ask("QueryResourceProperties", inside)

    def add(self, group: str, *, config: str = soap.IDLE, end: str = "") -> Answer:
        """Add a member to a group."""
        more = f"<sg:InitialTerminationTime>{end}</sg:InitialTerminationTime>" if end else ""
        body = self.spelling.add("http://127.0.0.1:1/m", config, more=more)
        return self.call(self.at(group), body)

    def passing(self) -> EntryReference:
        """An entry for one call."""
        return soap.add(self.at("Hidden"), "http://127.0.0.1:1/p", family=self.family)


def prepare(service: RunningService) -> None:
    """Add an entry in each dialect that shows an AggregatorError, and two of a plain registry."""
    config = soap.get_property_config("w:Load", declare='xmlns:w="urn:widgets"')
    key = '<w:Key xmlns:w="urn:widgets">7</w:Key>'
    for family in ("gt4", "oasis"):
        soap.add(service.group, "http://127.0.0.1:1/m", config, family=family, references=key)
        plain = f"{service.url}/wsrf/services/Plain"
        soap.add(plain, "http://127.0.0.1:1/m", "", family=family)

    def failing() -> int:
        return sum(entry.find(f".//{ERROR}") is not None for entry in soap.entries(service.group))

    until(lambda: failing() == 2, what="two AggregatorErrors")


def stage(service: RunningService, family: Family, version: str = SOAP11) -> Stage:
    """The stage in a dialect and a version of SOAP."""
    entry = soap.entries(service.group, family=family)[0 if family == "gt4" else 1]
    epr = entry.find(f"{{{NS[family]['sg']}}}ServiceGroupEntryEPR")
    key = epr.find(".//{http://mds.globus.org/index}ServiceGroupEntryKey")
    known = EntryReference(epr[0].text, etree.tostring(key).decode(), key[1].text)
    return Stage(service, family, version, known)


def _several(*names: str) -> str:
    return "".join(f"<rp:ResourceProperty>{name}</rp:ResourceProperty>" for name in names)


def _full(stage: Stage) -> Answer:
    stage.add("Full")
    return stage.add("Full")


Provoke = Callable[[Stage], Answer]
GROUP_PROPERTIES = (
    "sg:MembershipContentRule",
    "sg:Entry",
    "agg:RegistrationCount",
    "rl:CurrentTime",
    "rl:TerminationTime",
)
#: Those that tell the topics; the last of the final standard is for who asks by name.
TOPIC_PROPERTIES: dict[Family, tuple[str, ...]] = {
    "gt4": ("n:Topic", "n:FixedTopicSet", "n:TopicExpressionDialects"),
    "oasis": (
        *("n:TopicExpression", "n:FixedTopicSet", "n:TopicExpressionDialect"),
        "t:TopicSet",
    ),
}
ENTRY_PROPERTIES = (
    "rl:TerminationTime",
    "sg:MemberEPR",
    "sg:Content",
    "rl:CurrentTime",
    "sg:ServiceGroupEPR",
    "h:health",
)


def _group_property(name: str, group: str = "") -> Provoke:
    return lambda stage: stage.ask("GetResourceProperty", name, group=group)


def _entry_property(name: str) -> Provoke:
    return lambda stage: stage.ask_entry("GetResourceProperty", name)


def _set_time(inside: str) -> Provoke:
    return lambda stage: stage.ask_entry("SetTerminationTime", inside, entry=stage.passing())


def _on_nothing(operation: str, inside: str) -> Provoke:
    return lambda stage: stage.ask_nothing(operation, inside)


REPLIES: dict[str, Provoke] = {
    "Add": lambda s: s.add("Hidden"),
    "Add with an end": lambda s: s.add("Hidden", end="2041-01-01T00:00:00Z"),
    "Add to a plain registry": lambda s: s.add("Plain", config=""),
    **{f"group's {name}": _group_property(name) for name in GROUP_PROPERTIES},
    **{f"entry's {name}": _entry_property(name) for name in ENTRY_PROPERTIES},
    "rules": _group_property("sg:MembershipContentRule", "Ruled"),
    "hidden configurations": _group_property("sg:Entry", "Hidden"),
    "plain entries": _group_property("sg:Entry", "Plain"),
    "several of a group": lambda s: s.ask(
        "GetMultipleResourceProperties", _several(*GROUP_PROPERTIES), group="Ruled"
    ),
    "several of an entry": lambda s: s.ask_entry(
        "GetMultipleResourceProperties", _several(*ENTRY_PROPERTIES)
    ),
    "the whole by query": lambda s: s.query("/"),
    "the root by query": lambda s: s.query("/*"),
    "entries by query": lambda s: s.query("//*[local-name()='Entry']"),
    "parts by query": lambda s: s.query("//*[local-name()='AggregatorError']/*"),
    "SetTerminationTime": _set_time(AT),
    "SetTerminationTime for ever": _set_time(NIL),
    "Destroy": lambda s: s.ask_entry("Destroy", entry=s.passing()),
}
OASIS_REPLIES: dict[str, Provoke] = {
    "the group's document": lambda s: s.ask("GetResourcePropertyDocument"),
    "the entry's document": lambda s: s.ask_entry("GetResourcePropertyDocument"),
    "SetTerminationTime by duration": _set_time(DURATION),
}
_NO_SOURCE = f'<agg:AggregatorConfig xmlns:agg="{AGG}"><a/></agg:AggregatorConfig>'
INDEX = "DefaultIndexService"
#: What the detail holds, and how to be told so.
FAULTS: dict[str, tuple[str, Provoke]] = {
    "no configuration": ("AddRefusedFault", lambda s: s.add(INDEX, config="")),
    "no source": ("AddRefusedFault", lambda s: s.add(INDEX, config=_NO_SOURCE)),
    "a wrong end": ("AddRefusedFault", lambda s: s.add(INDEX, end="soon ]]&gt; &lt;&amp;\u00fc")),
    "a full group": ("AddRefusedFault", _full),
    "no member": ("AddRefusedFault", lambda s: s.ask("Add")),
    "no interface": ("UnsupportedMemberInterfaceFault", lambda s: s.add("Demanding")),
    "wrong content": ("ContentCreationFailedFault", lambda s: s.add("Ruled")),
    "no service": ("ResourceUnknownFault", lambda s: s.ask("Add", group="Nobody")),
    "no property": ("InvalidResourcePropertyQNameFault", _group_property("sg:Nothing")),
    "no prefix": ("InvalidResourcePropertyQNameFault", _group_property("nobody:Entry")),
    "no property of the entry": ("InvalidResourcePropertyQNameFault", _entry_property("sg:Entry")),
    "one of several": (
        "InvalidResourcePropertyQNameFault",
        lambda s: s.ask("GetMultipleResourceProperties", _several("sg:Entry", "sg:Nothing")),
    ),
    "no XPath": ("InvalidQueryExpressionFault", lambda s: s.query("//[")),
    "XQuery": (
        "UnknownQueryExpressionDialectFault",
        lambda s: s.query("/", dialect="urn:xquery"),
    ),
    "an endless query": ("QueryEvaluationErrorFault", lambda s: s.query(ENDLESS)),
    "no time": ("TerminationTimeChangeRejectedFault", _set_time("")),
    "a wrong time": ("TerminationTimeChangeRejectedFault", _set_time(AT.replace("2041", "next"))),
    "Add to an entry": ("BaseFault", lambda s: s.ask_entry("Add")),
    "no operation": (
        "BaseFault",
        lambda s: s.call(s.service.group, f'<rp:Frob xmlns:rp="{NS[s.family]["rp"]}"/>'),
    ),
    **{
        f"{operation} on nothing": ("ResourceUnknownFault", _on_nothing(operation, inside))
        for operation, inside in {
            "GetResourceProperty": "rl:CurrentTime",
            "GetMultipleResourceProperties": _several("rl:CurrentTime"),
            "QueryResourceProperties": "<rp:QueryExpression>/</rp:QueryExpression>",
            "SetTerminationTime": AT,
            "Destroy": "",
        }.items()
    },
}
