"""Expressions to ask of a group of `bench.entries`: for the service, and the same for BaseX.

The service takes XPath 1.0, BaseX XQuery 3.1. Most expressions are both and mean the same; where
they don't, a template says how it is written for BaseX. Text that is compared with a string is
written there as ``element/text()``, since BaseX asks its text index for nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Literal
from xml.sax.saxutils import escape

from bench import entries
from tests import soap

#: What an expression gives: nodes with elements among them, the text of attributes and texts, or
#: a value.
Kind = Literal["nodes", "text", "number", "boolean", "string"]
Category = Literal["equality", "attribute", "count", "other"]
#: What a form's rate should be, to that of BaseX.
TARGETS: dict[Category, float] = {"equality": 3.0, "attribute": 3.0, "count": 3.0, "other": 0.5}
NAMESPACES = {
    "sg": soap.NS["oasis"]["sg"],
    "wsa": soap.NS["oasis"]["wsa"],
    "agg": soap.AGG,
    "glue": entries.GLUE,
}
_DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
_PROLOG = "".join(f'declare namespace {prefix}="{uri}";' for prefix, uri in NAMESPACES.items())
_HOLE = re.compile(r"\{(\w+)\}")
#: By the name of a hole in a template, what is put there, of the number of an entry that has it.
_CONSTANTS: dict[str, Callable[[int], str]] = {
    "address": entries.member,
    "cluster": lambda number: f"cluster-{number:06d}",
    "digits": lambda number: f"{number // 10:05d}",
    "host": lambda number: f"head-{number:06d}",
    "number": lambda number: f"{number:06d}",
    "place": lambda number: str(number + 1),
    "queue": lambda number: f"queue-{number:06d}",
    "site": lambda number: f"site-{number % entries.SITES:02d}",
    "status": lambda number: ("enabled", "drained", "stopped")[number % 3],
    "load": lambda number: f"{number * 13 % 1000 / 1000:.3f}",
    "cpus": lambda number: str(number * 7 % 128),
    "many_cpus": lambda number: str(115 + number % 12),
    "cpus_text": lambda number: f"{number * 7 % 128:04d}",
    "running": lambda number: str(number * 3 % 100),
    "running_text": lambda number: f"{number * 3 % 100:04d}",
    "jobs": lambda number: f"{number % 1000:04d}",
    "jobs_number": lambda number: str(number % 1000),
    "waiting": lambda number: str(number % 10),
    "waiting_text": lambda number: f"{number % 10:04d}",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression, whole."""

    ours: str
    basex: str
    kind: Kind

    @property
    def envelope(self) -> bytes:
        """The request to the service."""
        rp = soap.NS["oasis"]["rp"]
        return soap.envelope(
            f'<rp:QueryResourceProperties xmlns:rp="{rp}"><rp:QueryExpression '
            f'Dialect="{soap.XPATH}" {_DECLARED}>{escape(self.ours)}</rp:QueryExpression>'
            "</rp:QueryResourceProperties>"
        )

    @property
    def xquery(self) -> bytes:
        """The request to BaseX."""
        return (_PROLOG + self.basex).encode()


@dataclass(frozen=True, slots=True)
class Template:
    """An expression with holes for constants, such as ``{site}``, in the same order for both."""

    ours: str
    basex: str
    kind: Kind

    def fill(self, draw: Random, count: int) -> Query:
        """Put constants into the holes, for a group of `count` entries."""
        values = [_CONSTANTS[hole](draw.randrange(count)) for hole in _HOLE.findall(self.ours)]
        return Query(_filled(self.ours, values), _filled(self.basex, values), self.kind)


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of query; where it has several templates, they take turns."""

    name: str
    category: Category
    templates: tuple[Template, ...]

    def queries(self, number: int, draw: Random, count: int) -> list[Query]:
        """So many of it, for a group of `count` entries."""
        which = [self.templates[i % len(self.templates)] for i in range(number)]
        return [template.fill(draw, count) for template in which]


def same(expression: str, kind: Kind = "nodes") -> Template:
    """One that is written for BaseX as it is for the service; texts it gives by ``data``."""
    return Template(expression, f"data({expression})" if kind == "text" else expression, kind)


def _filled(template: str, values: list[str]) -> str:
    left = iter(values)
    return _HOLE.sub(lambda _: next(left), template)


_BY_ADDRESS = "//sg:Entry[sg:MemberServiceEPR/wsa:Address"
_OF_CLUSTER = "//glue:Cluster[@glue:Name='{cluster}']//glue:State/@glue:FreeCPUs"
FIXED = (
    Form(
        "by address",
        "equality",
        (Template(_BY_ADDRESS + "='{address}']", _BY_ADDRESS + "/text()='{address}']", "nodes"),),
    ),
    Form(
        "by attribute",
        "attribute",
        (
            same("//glue:Cluster[@glue:Name='{cluster}']"),
            same("//glue:Cluster[@glue:Site='{site}']"),
        ),
    ),
    Form("numeric comparison", "other", (same("//glue:State[@glue:FreeCPUs > {many_cpus}]"),)),
    Form(
        "count",
        "count",
        (
            same("count(//glue:Cluster[@glue:Site='{site}'])", "number"),
            same("count(//glue:State[@glue:FreeCPUs > {cpus}])", "number"),
        ),
    ),
    Form(
        "substring",
        "other",
        (
            same("//sg:Entry[contains(sg:MemberServiceEPR/wsa:Address, 'member-{digits}')]"),
            same("//glue:Info[starts-with(@glue:HostName, '{host}')]"),
        ),
    ),
    Form("position", "other", (same("(//sg:Entry)[{place}]"), same("//sg:Entry[{place}]"))),
    Form(
        "two predicates",
        "other",
        (
            same(
                "//glue:ComputingElement[glue:State/@glue:Status='{status}']"
                "[glue:State/@glue:TotalJobs='{jobs}']"
            ),
            same("//glue:Cluster[@glue:Site='{site}'][.//glue:State/@glue:FreeCPUs > {cpus}]"),
        ),
    ),
    Form(
        "scalars",
        "other",
        (
            Template(f"string({_OF_CLUSTER})", f"string(({_OF_CLUSTER})[1])", "string"),
            same(
                "boolean(//glue:State[@glue:FreeCPUs={cpus} and @glue:RunningJobs > {cpus}])",
                "boolean",
            ),
            same("sum(//glue:State[@glue:TotalJobs='{jobs}']/@glue:FreeCPUs)", "number"),
        ),
    ),
)
