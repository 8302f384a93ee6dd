"""Names of a member's own elements, and the paths at which it answers."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from lxml import etree

from aggregator.errors import MalformedRequest
from aggregator.wire.dialects import FAMILIES
from aggregator.wire.namespaces import GLUE, clark
from aggregator.wire.parse import parse
from aggregator.wire.topic_properties import topic_property_names

MEMBER = "urn:mds-aggregator:member"
METADATA = "http://mds.globus.org/metadata/2005/02"

#: The root of the member's resource properties document.
DOCUMENT = clark(MEMBER, "HostRP")
#: The property that tells how the producers do.
PRODUCERS = clark(MEMBER, "Producers")
SERVICE_META_DATA = clark(METADATA, "ServiceMetaDataInfo")

#: Properties that the member itself gives; none of them can be configured.
OWN = frozenset({PRODUCERS, SERVICE_META_DATA}).union(
    (clark(one.rl, name) for one in FAMILIES for name in ("CurrentTime", "TerminationTime")),
    (name for one in FAMILIES for name in topic_property_names(one)),
)

SERVICE = "HostService"
SERVICE_PATH = f"/wsrf/services/{SERVICE}"
#: The subscription manager's; the key of a subscription follows.
MANAGER_PATH = "/wsrf/services/SubscriptionManagerService"

#: Properties of GLUECERPType (GLUE 1.1, ce.xsd): their producers' elements are merged into one.
MERGED = frozenset({clark(GLUE, "GLUECE"), clark(GLUE, "GLUECESummary")})


def split(name: str) -> tuple[str, str]:
    """Namespace (empty for none) and local name of a Clark name."""
    namespace, brace, local = name.rpartition("}")
    return namespace.removeprefix("{") if brace else "", local


def refusal_of_name(name: str) -> str:
    """Why a Clark name can't be that of a configured property; empty where it can."""
    namespace, local = split(name)
    try:
        etree.QName(name)
        # Parsers refuse some namespaces that a QName may have.
        parse(f"<p:{local} xmlns:p={quoteattr(namespace or 'urn:none')}/>".encode())
    except (ValueError, MalformedRequest):
        return f"{name!r} is no name of an element; write prefix:Name or {{uri}}Name"
    return f"{name} is given by the member itself" if name in OWN else ""
