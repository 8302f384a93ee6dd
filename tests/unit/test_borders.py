"""Who may import whom, who may use which library, and that XML has one way in: on the text."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from aggregator.registry.plugins import find_plugins
from tests.sources_read import Module, modules

#: From the inside to the outside; a room imports from rooms further in, and from itself.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"__init__", "errors", "threads", "waiting", "wire", "model", "contract", "config"}),
    frozenset({"store"}),
    frozenset({"registry", "view"}),
    frozenset({"notify", "archive"}),
    frozenset({"events"}),
    frozenset({"bus", "triggers"}),
    frozenset({"reports"}),
    frozenset({"collect", "client", "actions", "probes"}),
    frozenset({"streams", "measurement"}),
    frozenset({"agent", "member", "registrant", "server"}),
    frozenset({"run"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
#: The values among themselves.
VALUES = {
    "__init__": frozenset[str](),
    "errors": frozenset[str](),
    "threads": frozenset({"errors"}),
    "waiting": frozenset[str](),
    "wire": frozenset({"errors"}),
    "model": frozenset({"wire"}),
    "contract": frozenset({"errors", "wire", "model"}),
    "config": frozenset({"errors"}),
}
#: What plug-ins, and the kit that they are tested with, may know of the project.
FOR_PLUG_INS = frozenset({"contract", "errors", "model", "wire"})
PLUG_IN_ROOMS = ("sources", "sinks", "testing")
#: Beside the layers: the member is a WSRF service too and answers as the groups do.
BESIDE = {"member": frozenset({"server"})}

#: Libraries that have a home, and no place anywhere else.
HOMES = {
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "psycopg": {"store"},
    "apscheduler": {"collect", "events"},
    "sqlglot": {"store"},
    "kombu": {"events"},
    "amqp": {"events"},
    "spyne": {"server"},
    "six": {"server"},
    "zeep": {"client"},
    "requests": {"client"},
    "gunicorn": {"run"},
    "click": {"cli"},
    "isodate": {"wire"},
    "pycurl": {"collect", "member", "actions"},
    "smtplib": {"actions"},
    "pyarrow": {"archive"},
    # protobuf's own package.
    "google": {"reports"},
}

#: Whatever reads XML of lxml, of the standard library, or follows references in it.
READERS = frozenset(
    {"fromstring", "fromstringlist", "parse", "iterparse", "XML", "XMLID", "HTML", "parseid"}
    | {"XMLParser", "HTMLParser", "XMLPullParser", "HTMLPullParser", "ETCompatXMLParser"}
    | {"canonicalize", "XInclude", "XSLT", "XMLSchema", "RelaxNG", "Schematron", "DTD"}
)
TREES = frozenset({"etree", "ET", "ElementTree", "objectify", "html"})
READING_MODULES = ("xml.etree", "xml.dom", "xml.parsers", "xml.sax", "lxml.html", "lxml.objectify")
WRITING_MODULES = ("xml.sax.saxutils",)
#: Where XML is read all the same, what of, and why that is no way in.
READ_ELSEWHERE = {
    ("aggregator/wire/parse.py", "fromstring"): "the one way in",
    ("aggregator/wire/parse.py", "XMLParser"): "the one way in",
    ("aggregator/member/stylesheet.py", "XSLT"): (
        "takes a tree that came through the one way in, and may neither read nor write files"
    ),
    ("aggregator/member/host_facts.py", "xml.etree"): (
        "only writes: a probe that starts every few seconds can't wait for lxml"
    ),
}

CORE = modules("aggregator")
PLUG_INS = modules("sources", "sinks")


def ours(module: Module) -> Iterator[tuple[str, str]]:
    """The rooms that a module imports from, each with the dotted name."""
    for name in module.imports():
        if name.partition(".")[0] == "aggregator":
            yield name.split(".")[1] if "." in name else "__init__", name


def layer(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def may_import(importer: str, imported: str) -> bool:
    if imported in (importer, "__version__"):
        return True
    if importer in PLUG_IN_ROOMS:
        return imported in FOR_PLUG_INS
    if importer in VALUES:
        return imported in VALUES[importer]
    if imported not in frozenset().union(*LAYERS):
        return False
    return layer(imported) < layer(importer) or imported in BESIDE.get(importer, ())


def test_every_room_has_its_place() -> None:
    placed = {*frozenset().union(*LAYERS), *PLUG_IN_ROOMS}
    rooms = {module.room for module in (*CORE, *PLUG_INS)}
    assert rooms <= placed, "say in LAYERS where the room lies"


def test_imports_stay_within_the_borders() -> None:
    wrong = {
        module.name: crossing
        for module in (*CORE, *PLUG_INS)
        if (crossing := [name for room, name in ours(module) if not may_import(module.room, room)])
    }
    assert not wrong


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("wire", "model", False),
        ("store", "wire", True),
        ("store", "registry", False),
        ("registry", "view", False),
        ("archive", "view", True),
        ("archive", "notify", False),
        ("collect", "archive", True),
        ("view", "archive", False),
        ("view", "registry", False),
        ("collect", "server", False),
        ("events", "store", True),
        ("events", "collect", False),
        ("reports", "store", True),
        ("reports", "collect", False),
        ("server", "events", True),
        ("streams", "events", True),
        ("streams", "client", True),
        ("streams", "server", False),
        ("collect", "streams", False),
        ("client", "server", False),
        ("actions", "events", True),
        ("actions", "collect", False),
        ("collect", "actions", False),
        ("collect", "probes", False),
        ("server", "member", False),
        ("member", "server", True),
        ("cli", "run", True),
        ("run", "cli", False),
        ("sources", "store", False),
        ("sinks", "contract", True),
        ("testing", "registry", False),
        ("registry", "sources", False),
        ("registry", "nowhere", False),
    ],
)
def test_the_borders_are_those_of_the_design(importer: str, imported: str, allowed: bool) -> None:
    assert may_import(importer, imported) is allowed


def test_the_core_imports_absolutely() -> None:
    assert {module.name: list(module.relative_imports()) for module in CORE} == {
        module.name: [] for module in CORE
    }


def test_plug_ins_import_only_private_modules_beside_them() -> None:
    """A plug-in that imported another one could not be taken out alone."""
    beside = {name for module in PLUG_INS for name in module.relative_imports()}
    assert {name for name in beside if not name.startswith("._")} == set()


def test_libraries_stay_at_home() -> None:
    wrong = {
        (module.name, library)
        for module in (*CORE, *PLUG_INS)
        for library in {name.partition(".")[0] for name in module.imports()} & set(HOMES)
        if module.room not in HOMES[library]
    }
    assert not wrong


@pytest.mark.parametrize("library", HOMES)
def test_libraries_are_at_home(library: str) -> None:
    rooms = {
        module.room
        for module in CORE
        if any(name.partition(".")[0] == library for name in module.imports())
    }
    assert rooms == HOMES[library]


def readings(module: Module) -> Iterator[str]:
    """Every use of a name that reads XML."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in READERS:
            base = node.value
            named = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            # An annotation such as etree.XSLT reads nothing, but is told by its text alone.
            if named in TREES:
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lxml.etree"):
            yield from (alias.name for alias in node.names if alias.name in READERS)
    for name in module.imports():
        reads = [mod for mod in READING_MODULES if f"{name}.".startswith(f"{mod}.")]
        if not f"{name}.".startswith(tuple(f"{mod}." for mod in WRITING_MODULES)):
            yield from reads


def test_xml_has_one_way_in() -> None:
    found = {(module.name, name) for module in (*CORE, *PLUG_INS) for name in readings(module)}
    assert not found - set(READ_ELSEWHERE), "XML is read by aggregator.wire.parse alone"


def test_every_exception_is_in_use() -> None:
    found = {(module.name, name) for module in CORE for name in readings(module)}
    assert set(READ_ELSEWHERE) == found & set(READ_ELSEWHERE)


@pytest.mark.parametrize(
    "source",
    [
        "from lxml import etree\netree.fromstring(b'')",
        "from lxml import etree as ET\nET.parse('f')",
        "import lxml.etree\nlxml.etree.XMLParser()",
        "from lxml.etree import iterparse",
        "import xml.etree.ElementTree",
        "from xml.dom import minidom",
        "from lxml import html",
        "from xml import sax",
    ],
)
def test_the_look_for_readers_finds_them(source: str) -> None:
    module = Module(CORE[0].path)
    module.__dict__["tree"] = ast.parse(source)
    assert list(readings(module))


NAMED = {
    ("aggregator/config/groups.py", "index"): "the sink of a group whose settings name none",
    ("aggregator/config/groups.py", "monitored"): "that of a group that is there undeclared",
}
#: Words of the field as well: where the core says them, they need not name the plug-in.
WORDS = {"archive", "measurement", "trigger"}


def namings(module: Module, names: set[str]) -> Iterator[str]:
    """Texts of the module that are the name of a plug-in, and imports of one."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and node.value in names:
            yield str(node.value)
    for plug_in in PLUG_INS:
        dotted = f"aggregator.{plug_in.room}.{plug_in.path.stem}"
        yield from (name for name in module.imports() if f"{name}.".startswith(f"{dotted}."))


def test_the_core_names_no_plug_in() -> None:
    plugins = find_plugins()
    names = {source.name for source in plugins.sources.values()} | set(plugins.sinks)
    assert {"QueryAggregatorSource", "ExecutionAggregatorSource", "index"} <= names
    found = {(module.name, name) for module in CORE for name in namings(module, names - WORDS)}
    assert found == set(NAMED)


def test_there_are_plug_ins_and_a_core_to_look_at() -> None:
    assert len(CORE) > 100
    assert {plug_in.room for plug_in in PLUG_INS} == {"sources", "sinks"}
