"""What a member shows to a GET: its WSDL, the schemas, and short pages for people."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import parse_qsl

from aggregator.member.asked import MANAGER, MANAGER_READS
from aggregator.member.http_message import Head, Outgoing
from aggregator.member.names import MANAGER_PATH, SERVICE, SERVICE_PATH
from aggregator.server.schemas import schema
from aggregator.server.wsdl import DialectName, Kind, wsdl

TEXT = "text/plain; charset=utf-8"
XML = "text/xml; charset=utf-8"
_SCHEMAS = "/schemas/"
_DIALECTS: dict[str, DialectName] = {"": "oasis", "oasis": "oasis", "gt4": "gt4"}
_OPERATIONS = (
    "GetResourceProperty, GetMultipleResourceProperties, QueryResourceProperties (XPath 1.0), "
    "GetResourcePropertyDocument, Subscribe, GetCurrentMessage"
)
_MANAGER_OPERATIONS = ", ".join(operation.name for operation in (*MANAGER, *MANAGER_READS))


def is_service(path: str) -> bool:
    """Whether requests to the path are for the resource: the service, or an instance below it."""
    return path == SERVICE_PATH or path.startswith(f"{SERVICE_PATH}/")


def is_subscription(path: str) -> bool:
    """Whether requests to the path are for the subscription manager, or a subscription below it."""
    return path == MANAGER_PATH or path.startswith(f"{MANAGER_PATH}/")


def text(status: int, content: str, *, extra: str = "") -> Outgoing:
    """A page of plain text."""
    return Outgoing(status, TEXT, f"{content}\n".encode(), extra)


class Pages:
    """Pages that name this service by its public address, never by a request's Host."""

    def __init__(self, public_url: str) -> None:
        self._base = public_url.rstrip("/")

    def page(self, head: Head) -> Outgoing:
        """The answer to a GET."""
        if is_service(head.path):
            page = f"{SERVICE} publishes this host's resource properties.\n"
            page += f"Operations, sent by POST: {_OPERATIONS}\n{self._told()}"
            return self._service(head, "member", page)
        if is_subscription(head.path):
            # The same for every key, so that it tells of none whether it is there.
            page = "Manages subscriptions, each at an address of its own below this one.\n"
            page += f"Operations, sent by POST: {_MANAGER_OPERATIONS}\n"
            page += self._wsdls(MANAGER_PATH)
            return self._service(head, "subscription", page)
        if head.path.startswith(_SCHEMAS):
            return _schema(head.path.removeprefix(_SCHEMAS))
        if head.path == "/healthz":
            return text(HTTPStatus.OK, "ok")
        if head.path == "/":
            return text(HTTPStatus.OK, f"A WSRF member of mds-aggregator: {self._told()}")
        return self.nothing()

    def nothing(self) -> Outgoing:
        """The answer for a path at which there is nothing."""
        return text(HTTPStatus.NOT_FOUND, f"Nothing is here. This host has {self._told()}")

    def _told(self) -> str:
        return f"{SERVICE} at {self._base}{SERVICE_PATH}\n{self._wsdls(SERVICE_PATH)}"

    def _wsdls(self, path: str) -> str:
        return f"WSDL: {self._base}{path}?wsdl (final standards), ?wsdl=gt4 (drafts)"

    def _service(self, head: Head, kind: Kind, page: str) -> Outgoing:
        query = {name.lower(): value for name, value in parse_qsl(head.query, True)}
        if "wsdl" not in query:
            return text(HTTPStatus.OK, page)
        dialect = _DIALECTS.get(query["wsdl"].lower())
        if dialect is None:
            return text(HTTPStatus.NOT_FOUND, "There are ?wsdl=oasis and ?wsdl=gt4.")
        document = wsdl(
            kind,
            dialect,
            address=self._base + head.path,
            schemas=self._base + _SCHEMAS.rstrip("/"),
        )
        return Outgoing(HTTPStatus.OK, XML, document)


def _schema(path: str) -> Outgoing:
    document = schema(path)
    if document is None:
        return text(HTTPStatus.NOT_FOUND, "There is no such schema.")
    return Outgoing(HTTPStatus.OK, XML, document)
