"""Faults: which error gives which, schema-valid in every dialect and SOAP version, for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator import errors
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import (
    ADD,
    DIALECTS,
    GET_PROPERTY,
    OASIS,
    OPERATIONS,
    SET_TERMINATION_TIME,
    Dialect,
    Operation,
)
from aggregator.wire.envelope import (
    SOAP11,
    SOAP12,
    Envelope,
    SoapVersion,
    read_envelope,
    write_envelope,
)
from aggregator.wire.faults import KINDS, MAX_DESCRIPTION, SoapFault, fault_kind, write_fault
from aggregator.wire.parse import Element, parse
from aggregator.wire.times import SECOND
from tests.shared import published_schemas

ANY_TEXT = st.text(st.characters(categories=None))
NOW = 1_800_000_000 * SECOND
HEADERS_ALONE = (errors.NotUnderstood, errors.VersionMismatch)
ERRORS = [cls for cls in KINDS if cls not in HEADERS_ALONE]
DIALECT = pytest.mark.parametrize(
    "dialect", DIALECTS.values(), ids=lambda dialect: f"{dialect.name}"
)
VERSION = pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=lambda version: version.name)


def made(cls: type[Exception], text: str, causes: tuple[str, ...] = ()) -> Exception:
    if issubclass(cls, errors.UnacceptableInitialTime):
        return cls(text, minimum=NOW, maximum=NOW + SECOND, causes=causes)
    if issubclass(cls, errors.InvalidFilter):
        return cls(text, unknown=("{urn:x}Filter",), causes=causes)
    if issubclass(cls, errors.RequestError) and causes:
        return cls(text, causes=causes)
    return cls(text)


def fault(
    error: Exception,
    version: SoapVersion = SOAP11,
    dialect: Dialect = OASIS,
    operation: Operation | None = None,
) -> SoapFault:
    return write_fault(error, version=version, dialect=dialect, now=NOW, operation=operation)


def envelope(sent: SoapFault, version: SoapVersion = SOAP11) -> Envelope:
    return read_envelope(parse(write_envelope(version, sent.body, headers=sent.headers)))


def detail(body: Element) -> list[Element]:
    """The children of the detail, whose own name is checked."""
    if body.tag == ns.clark(ns.SOAP11, "Fault"):
        assert [child.tag for child in body][:2] == ["faultcode", "faultstring"]
        found = body.find("detail")
    else:
        soap = ns.SOAP12
        assert [child.tag for child in body][:2] == [ns.clark(soap, n) for n in ("Code", "Reason")]
        found = body.find(ns.clark(soap, "Detail"))
    return [] if found is None else list(found)


def code(body: Element) -> str:
    value = body.findtext("faultcode") or body.findtext(f"{{{ns.SOAP12}}}Code/{{{ns.SOAP12}}}Value")
    prefix, _, local = (value or "").partition(":")
    assert body.nsmap[prefix] == etree.QName(body).namespace
    return local


def descriptions(element: Element) -> list[str]:
    return [text.text or "" for text in element.iter() if text.tag.endswith("}Description")]


class TestSchema:
    @VERSION
    @DIALECT
    @pytest.mark.parametrize("causes", [(), ("one",), ("one", "two & three")], ids=len)
    @pytest.mark.parametrize("cls", [*ERRORS, KeyError], ids=lambda cls: cls.__name__)
    def test_takes_every_fault(
        self,
        *,
        cls: type[Exception],
        causes: tuple[str, ...],
        dialect: Dialect,
        version: SoapVersion,
    ) -> None:
        for operation in (None, *OPERATIONS):
            if operation is not None and dialect.family not in operation.dialects:
                continue
            sent = fault(made(cls, "words <&> \x01", causes), version, dialect, operation)
            published_schemas().validate(envelope(sent, version).body)


class TestKind:
    @pytest.mark.parametrize("cls", ERRORS, ids=lambda cls: cls.__name__)
    @DIALECT
    def test_is_told_in_the_namespace_of_the_dialect(
        self, cls: type[Exception], dialect: Dialect
    ) -> None:
        sent = fault(made(cls, "words"), dialect=dialect, operation=SET_TERMINATION_TIME)
        (element,) = detail(envelope(sent).body)
        kind = KINDS[cls]
        namespace, name = dialect.namespace(kind.spec), kind.name
        if dialect.family == "gt4" and name == "ResourceUnknownFault":
            namespace = dialect.rl
        if dialect.family == "gt4" and name == "ResourceUnavailableFault":
            namespace, name = dialect.bf, "BaseFault"
        if dialect.family == "gt4" and kind.draft:
            name = kind.draft
            namespace = dialect.bf if name == "BaseFault" else namespace
        assert element.tag == ns.clark(namespace, name)
        assert element.find(ns.clark(dialect.bf, "Timestamp")).text == "2027-01-15T08:00:00.000Z"
        assert descriptions(element) == ["words"]
        assert sent.name == kind.name

    @pytest.mark.parametrize(
        ("operation", "namespace"),
        [
            (None, ns.GT4_RP),
            (ADD, ns.GT4_RP),
            (GET_PROPERTY, ns.GT4_RP),
            (SET_TERMINATION_TIME, ns.GT4_RL),
        ],
    )
    def test_of_an_unknown_resource_is_that_of_the_called_interface_in_the_drafts(
        self, operation: Operation | None, namespace: str
    ) -> None:
        sent = fault(errors.ResourceUnknown("x"), dialect=DIALECTS["gt4"], operation=operation)
        assert detail(envelope(sent).body)[0].tag == ns.clark(namespace, "ResourceUnknownFault")

    @pytest.mark.parametrize(
        ("error", "name"),
        [
            (errors.RequestTooLarge("x"), "BaseFault"),
            (errors.UnknownOperation("x"), "BaseFault"),
            (errors.ContentRefused("x"), "ContentCreationFailedFault"),
            (errors.AddRefused("x"), "AddRefusedFault"),
            (errors.ConfigError("x", element="y"), "AddRefusedFault"),
        ],
    )
    def test_is_the_nearest_one(self, error: Exception, name: str) -> None:
        assert fault_kind(error).name == name

    def test_every_request_error_has_one_of_the_client(self) -> None:
        classes = [errors.RequestError]
        for cls in classes:
            classes += cls.__subclasses__()
            # Who is only to come again has made no mistake.
            assert fault_kind(made(cls, "x")).client == (cls is not errors.InboxFull)
        assert len(classes) > 12

    @VERSION
    @pytest.mark.parametrize(
        ("error", "in_11", "in_12"),
        [
            (errors.AddRefused("x"), (500, "Client"), (400, "Sender")),
            (errors.StoreUnavailable("x"), (500, "Server"), (500, "Receiver")),
            (KeyError("x"), (500, "Server"), (500, "Receiver")),
            (errors.NotUnderstood("x"), (500, "MustUnderstand"), (500, "MustUnderstand")),
            (errors.VersionMismatch("x"), (500, "VersionMismatch"), (500, "VersionMismatch")),
        ],
    )
    def test_code_and_status_follow_the_soap_version(
        self,
        *,
        version: SoapVersion,
        error: Exception,
        in_11: tuple[int, str],
        in_12: tuple[int, str],
    ) -> None:
        sent = fault(error, version)
        found = (sent.status, code(envelope(sent, version).body))
        assert found == (in_11 if version is SOAP11 else in_12)

    def test_of_the_store_says_when_to_try_again(self) -> None:
        assert fault(errors.StoreUnavailable("x", retry_after=7)).retry_after == 7
        assert fault(errors.AddRefused("x")).retry_after == 0


class TestWords:
    @given(
        text=st.text(st.characters(categories=None)), cause=st.text(st.characters(categories=None))
    )
    @pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
    @pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=lambda version: version.name)
    def test_any_are_well_formed(
        self, *, text: str, cause: str, dialect: Dialect, version: SoapVersion
    ) -> None:
        sent = fault(errors.AddRefused(text, causes=(cause,)), version, dialect)
        (element,) = detail(envelope(sent, version).body)
        assert len(descriptions(element)) == 2

    @VERSION
    def test_are_kept_where_xml_can_hold_them(self, version: SoapVersion) -> None:
        words = "größer als 5 < 6 & \U0001f600 'quoted' \"twice\" ]]>\n\tend"
        body = envelope(fault(errors.AddRefused(words), version), version).body
        assert descriptions(body) == [words]
        reason = body.findtext("faultstring") or body.findtext(
            f"{{{ns.SOAP12}}}Reason/{{{ns.SOAP12}}}Text"
        )
        assert reason == words

    def test_have_a_language_in_soap_12(self) -> None:
        body = envelope(fault(errors.AddRefused("x"), SOAP12), SOAP12).body
        (text,) = body.iter(ns.clark(ns.SOAP12, "Text"))
        assert text.get(ns.clark(ns.XML, "lang")) == "en"

    @pytest.mark.parametrize("letter", ["x", "&", "\U0001f600", "\ud800"])
    @DIALECT
    def test_are_cut_at_the_limit(self, letter: str, dialect: Dialect) -> None:
        error = errors.AddRefused(letter * 5000, causes=(letter * 5000,))
        (element,) = detail(envelope(fault(error, dialect=dialect)).body)
        assert [len(words) for words in descriptions(element)] == [MAX_DESCRIPTION] * 2

    @VERSION
    def test_of_a_bug_are_kept_from_the_client(self, version: SoapVersion) -> None:
        sent = fault(KeyError("/etc/secret"), version)
        assert b"secret" not in sent.body
        assert b"KeyError" not in sent.body
        assert b"an internal error" in sent.body

    def test_name_the_element_of_a_wrong_setting(self) -> None:
        sent = fault(errors.ConfigError("is no number", element="PollIntervalMillis"))
        assert b"PollIntervalMillis: is no number" in sent.body


class TestCauses:
    def test_are_one_each_in_the_drafts(self) -> None:
        error = errors.AddRefused("x", causes=("one", "two"))
        (element,) = detail(envelope(fault(error, dialect=DIALECTS["gt4"])).body)
        causes = element.findall(ns.clark(ns.GT4_BF, "FaultCause"))
        assert [descriptions(cause) for cause in causes] == [["one"], ["two"]]

    def test_are_one_together_in_the_final_standard(self) -> None:
        error = errors.AddRefused("x", causes=("one", "two"))
        (element,) = detail(envelope(fault(error)).body)
        (cause,) = element.findall(ns.clark(ns.OASIS_BF, "FaultCause"))
        assert descriptions(cause) == ["one; two"]


class TestHeaders:
    def test_name_what_was_not_understood_in_soap_12(self) -> None:
        names = ("{urn:x}Security", "{urn:o?a=1&b=2}Odd", "Bare", "{urn:" + "l" * 5000 + "}Long")
        sent = fault(errors.NotUnderstood("x", headers=names), SOAP12)
        found = envelope(sent, SOAP12).headers
        assert {header.tag for header in found} == {ns.clark(ns.SOAP12, "NotUnderstood")}
        told = []
        for header in found:
            prefix, _, local = header.get("qname").rpartition(":")
            told.append(ns.clark(header.nsmap[prefix] if prefix else "", local))
        assert told == ["{urn:x}Security", "{urn:o?a=1&b=2}Odd", "Bare"]

    def test_have_no_place_in_soap_11(self) -> None:
        assert fault(errors.NotUnderstood("x", headers=("{urn:x}S",))).headers == b""

    @VERSION
    def test_offer_both_versions_to_a_third(self, version: SoapVersion) -> None:
        sent = fault(errors.VersionMismatch("x"), version)
        (upgrade,) = envelope(sent, version).headers
        assert upgrade.tag == ns.clark(ns.SOAP12, "Upgrade")
        offered = [item.nsmap[item.get("qname").partition(":")[0]] for item in upgrade]
        assert offered == [ns.SOAP12, ns.SOAP11]

    @VERSION
    @pytest.mark.parametrize("cls", HEADERS_ALONE)
    def test_that_are_wrong_leave_the_detail_out(
        self, cls: type[errors.RequestError], version: SoapVersion
    ) -> None:
        """SOAP 1.1, section 4.4: no detail for what concerns header entries."""
        body = envelope(fault(cls("x"), version), version).body
        assert detail(body) == []
        assert b"etail" not in etree.tostring(body)


def test_action_is_that_of_the_dialect() -> None:
    error = errors.AddRefused("x")
    assert fault(error).action == "http://docs.oasis-open.org/wsrf/fault"
    drafts = fault(error, dialect=DIALECTS["gt4"]).action
    assert drafts == "http://schemas.xmlsoap.org/ws/2004/03/addressing/fault"
