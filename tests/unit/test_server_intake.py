"""What a request brings along: its body, its charset, its caller, and what it asks for."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import MalformedRequest, RequestTooLarge, UnknownOperation
from aggregator.model import Caller
from aggregator.server.body import charset_of, read_body
from aggregator.server.callers import caller_of, subject_of
from aggregator.server.dispatch import dispatch, fault_dialect
from aggregator.server.gzipping import compressed
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import BY_BODY, DIALECTS, FAMILIES, GT4, LITE, OASIS, OPERATIONS
from aggregator.wire.envelope import Envelope, read_envelope
from aggregator.wire.parse import parse


class Trickle(io.RawIOBase):
    """A stream that gives little at a time and breaks where it is told to."""

    def __init__(self, data: bytes, *, step: int, breaks: bool = False) -> None:
        self.given = 0
        self._data, self._step, self._breaks = data, step, breaks

    def read(self, size: int = -1) -> bytes:
        piece = self._data[self.given : self.given + min(self._step, size)]
        if not piece and self._breaks:
            raise ConnectionResetError("the peer is gone")
        self.given += len(piece)
        return piece


def body(data: bytes, *, limit: int = 100, step: int = 7, **environ: str) -> bytes:
    return read_body({"wsgi.input": Trickle(data, step=step), **environ}, limit=limit)


class TestBody:
    @given(data=st.binary(max_size=100), step=st.integers(1, 100))
    def test_is_read_whole_with_and_without_a_length(self, data: bytes, step: int) -> None:
        assert body(data, step=step) == data
        assert body(data, step=step, CONTENT_LENGTH=str(len(data))) == data
        assert body(data, step=step, CONTENT_LENGTH="") == data

    @pytest.mark.parametrize("declared", ["", "101", "50", "many", "-1", "9" * 5000])
    def test_over_the_limit_is_refused_whatever_was_declared(self, declared: str) -> None:
        stream = Trickle(b"x" * 10_000, step=10)
        environ = {"wsgi.input": stream, "CONTENT_LENGTH": declared}
        with pytest.raises(RequestTooLarge, match="at most 100 bytes are read"):
            read_body(environ, limit=100)
        assert stream.given == 110

    def test_at_the_limit_is_taken(self) -> None:
        assert len(body(b"x" * 100, CONTENT_LENGTH="100")) == 100

    def test_that_ends_early_is_told(self) -> None:
        with pytest.raises(MalformedRequest, match="ended after 50 of 60 declared bytes"):
            body(b"x" * 50, CONTENT_LENGTH="60")

    def test_that_breaks_off_is_told(self) -> None:
        stream = Trickle(b"x" * 50, step=10, breaks=True)
        with pytest.raises(MalformedRequest, match="broke off after 50 bytes"):
            read_body({"wsgi.input": stream}, limit=100)

    def test_that_is_compressed_is_told(self) -> None:
        with pytest.raises(MalformedRequest, match="Content-Encoding 'gzip' is not read here"):
            body(b"", HTTP_CONTENT_ENCODING="GZip")
        assert body(b"x", HTTP_CONTENT_ENCODING=" Identity") == b"x"


class TestCharset:
    @pytest.mark.parametrize(
        ("content_type", "charset"),
        [
            ("", ""),
            ("text/xml", ""),
            ("text/xml; charset=utf-8", "utf-8"),
            ('text/xml;charset="iso-8859-1"', "iso-8859-1"),
            ("text/xml; charset='utf-8'", "utf-8"),
            ("text/xml; CharSet = UTF-16 ; a=b", "UTF-16"),
            ('application/soap+xml; action="urn:a;charset=x"; charset=utf-8', "utf-8"),
            ('application/soap+xml; action="urn:a;charset=x"', ""),
            ("text/xml; xcharset=utf-8", ""),
            ("text/xml; charset=", ""),
            ("text/xml; charset", ""),
        ],
    )
    def test_is_the_parameter_of_the_media_type(self, content_type: str, charset: str) -> None:
        assert charset_of({"CONTENT_TYPE": content_type}) == charset

    def test_of_nothing_is_none(self) -> None:
        assert charset_of({}) == ""

    @pytest.mark.parametrize("media", ["multipart/related; type=x", "Multipart/Form-Data"])
    def test_parts_are_refused(self, media: str) -> None:
        with pytest.raises(MalformedRequest, match="send the envelope as text/xml"):
            charset_of({"CONTENT_TYPE": media})


Name = tuple[tuple[tuple[str, str], ...], ...]


class Peer:
    """A TLS socket as far as it is asked."""

    def __init__(self, subject: Name | None) -> None:
        self._subject = subject

    def getpeercert(self) -> dict[str, Any] | None:
        return None if self._subject is None else {"subject": self._subject}


class TestCaller:
    ADA: Name = (
        (("countryName", "DE"),),
        (("organizationName", "Grid"),),
        (("commonName", "Ada"),),
        (("1.2.3", "x"),),
    )

    @pytest.mark.parametrize(
        ("environ", "caller"),
        [
            ({"REMOTE_ADDR": "10.0.0.1"}, Caller("", "10.0.0.1")),
            ({}, Caller("", "")),
            ({"REMOTE_ADDR": "::1", "gunicorn.socket": object()}, Caller("", "::1")),
            ({"gunicorn.socket": Peer(None)}, Caller("", "")),
            ({"gunicorn.socket": Peer(())}, Caller("", "")),
            ({"gunicorn.socket": Peer(ADA)}, Caller("/C=DE/O=Grid/CN=Ada/1.2.3=x", "")),
        ],
    )
    def test_is_the_peer(self, environ: dict[str, Any], caller: Caller) -> None:
        assert caller_of(environ) == caller

    def test_different_subjects_never_read_alike(self) -> None:
        subjects: list[Name] = [
            ((("organizationName", "a"),), (("commonName", "b"),)),
            ((("organizationName", "a"), ("commonName", "b")),),
            ((("organizationName", "a/CN=b"),),),
            ((("organizationName", "a\\/CN=b"),),),
            ((("organizationName", "a+CN=b"),),),
            ((("organizationName", "a\\"),), (("commonName", "b"),)),
            ((("organizationName", "a\\\\"),), (("commonName", "b"),)),
            ((("organizationName", "a\\"), ("commonName", "b")),),
        ]
        assert len({subject_of({"subject": subject}) for subject in subjects}) == len(subjects)


def envelope(body: str, action: str = "") -> Envelope:
    header = f'<w:Action xmlns:w="{ns.WSA_2005_08}">{action}</w:Action>' if action else ""
    document = (
        f'<s:Envelope xmlns:s="{ns.SOAP11}"><s:Header>{header}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    )
    return read_envelope(parse(document.encode()))


def operation(name: str) -> str:
    namespace, _, local = name[1:].partition("}")
    return f'<o:{local} xmlns:o="{namespace}"/>'


#: ONVIF's events have one spelling.
IN_WSRF = [operation for operation in OPERATIONS if operation.spec not in ("tev", "trig", "arc")]


class TestDispatch:
    @pytest.mark.parametrize("name", BY_BODY)
    @pytest.mark.parametrize("soap_action", ["", '""', '"urn:wrong"', '"http://x/sg-2/Add"'])
    def test_is_by_the_body_alone(self, name: str, soap_action: str) -> None:
        assert dispatch(envelope(operation(name)), soap_action) == BY_BODY[name]

    @pytest.mark.parametrize("wanted", IN_WSRF, ids=lambda wanted: wanted.name)
    @pytest.mark.parametrize("quoted", ['"{}"', "{}"])
    @pytest.mark.parametrize("in_header", [True, False])
    def test_wsrf_lite_is_known_by_its_actions(
        self, wanted: Any, quoted: str, in_header: bool
    ) -> None:
        action = quoted.format(LITE.action(wanted))
        name = ns.clark(OASIS.namespace(wanted.spec), wanted.name)
        sent = envelope(operation(name), action if in_header else "")
        assert dispatch(sent, "" if in_header else action) == (wanted, LITE)

    @pytest.mark.parametrize(
        ("wsa", "spoken"), [(ns.WSA_2004_03, GT4), (ns.WSA_2005_08, OASIS), ("", OASIS)]
    )
    def test_of_the_archive_goes_by_the_addressing(self, wsa: str, spoken: Any) -> None:
        header = f'<a:To xmlns:a="{wsa}">http://x/</a:To>' if wsa else ""
        body = operation(ns.clark(ns.ARCHIVE, "QueryArchive"))
        text = (
            f'<s:Envelope xmlns:s="{ns.SOAP11}"><s:Header>{header}</s:Header>'
            f"<s:Body>{body}</s:Body></s:Envelope>"
        )
        assert dispatch(read_envelope(parse(text.encode())), "")[1] is spoken

    def test_drafts_have_no_lite_spelling(self) -> None:
        sent = envelope(operation(ns.clark(ns.GT4_SG, "Add")), "urn:x#Add")
        assert dispatch(sent, "urn:x#Add")[1] is GT4

    @pytest.mark.parametrize(
        "body",
        [
            "<Add/>",
            '<Add xmlns="http://docs.oasis-open.org/wsrf/sg-3"/>',
            operation(ns.clark(ns.OASIS_RL, "Add")),
            operation(ns.clark(ns.GT4_RP, "GetResourcePropertyDocument")),
            operation(ns.clark(ns.OASIS_SG, "AddResponse")),
        ],
    )
    def test_the_rest_is_no_operation_and_those_there_are_are_named(self, body: str) -> None:
        with pytest.raises(UnknownOperation, match=r"there are Add, .*Destroy, .*SetTermination"):
            dispatch(envelope(body), "")

    def test_the_operations_told_are_those_of_the_dialect(self) -> None:
        with pytest.raises(UnknownOperation) as refused:
            dispatch(envelope(operation(ns.clark(ns.GT4_RP, "GetResourcePropertyDocument"))), "")
        assert str(refused.value) == (
            f"{{{ns.GT4_RP}}}GetResourcePropertyDocument is no operation of the dialect gt4; there "
            "are Add, Destroy, GetCurrentMessage, GetMultipleResourceProperties, "
            "GetResourceProperty, Notify, PauseSubscription, QueryResourceProperties, "
            "ResumeSubscription, SetResourceProperties, SetTerminationTime, Subscribe; ask for the "
            "whole document with QueryResourceProperties and the expression /"
        )
        with pytest.raises(UnknownOperation, match=r"dialect oasis; .*GetResourcePropertyDocument"):
            dispatch(envelope(operation(ns.clark(ns.OASIS_RL, "Add"))), "")


class TestFaultDialect:
    @pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
    @pytest.mark.parametrize("spec", ["sg", "rp", "rl", "nt"])
    def test_is_what_the_message_shows(self, dialect: Any, spec: Any) -> None:
        found = f'<r><!-- c --><x xmlns="urn:x"/><a xmlns="{dialect.namespace(spec)}"/></r>'
        assert fault_dialect(parse(found.encode())) is dialect

    def test_is_the_final_one_where_nothing_shows(self) -> None:
        assert fault_dialect(None) is OASIS
        assert fault_dialect(parse(b"<r/>")) is OASIS

    def test_is_found_without_looking_at_everything(self) -> None:
        late = b"<r>" + b"<a/>" * 10_000 + f'<g xmlns="{ns.GT4_SG}"/></r>'.encode()
        assert fault_dialect(parse(late)) is OASIS
        assert DIALECTS["oasis"] is OASIS


class TestGzip:
    @given(pieces=st.lists(st.binary(max_size=500), max_size=20))
    def test_round_trip(self, pieces: list[bytes]) -> None:
        assert gzip.decompress(b"".join(compressed(pieces))) == b"".join(pieces)

    def test_holds_no_reply_back_until_its_end(self) -> None:
        made = 0

        def pieces() -> Iterator[bytes]:
            nonlocal made
            chance = Random(1)
            for _ in range(100):
                made += 1
                yield chance.randbytes(20_000)

        stream = compressed(pieces())
        for _ in range(3):
            next(stream)
        assert made < 50

    def test_closes_what_it_reads_when_the_reader_leaves(self) -> None:
        closed = []

        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    yield bytes(range(256)) * 1000
            finally:
                closed.append(True)

        stream = compressed(pieces())
        next(stream)
        stream.close()
        assert closed == [True]
