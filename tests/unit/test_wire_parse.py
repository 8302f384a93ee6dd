"""The guarded parse: where the limits lie, and what is cut out intact."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator.errors import MalformedRequest, RequestTooLarge
from aggregator.wire.parse import (
    Limits,
    parse,
    serialise,
    serialise_all,
    text_of,
)


class TestLimits:
    @pytest.mark.parametrize("inner", ["<a/>", "<a></a>"])
    @pytest.mark.parametrize("limit", [8, 128])
    def test_depth_is_exact(self, limit: int, inner: str) -> None:
        def nested(depth: int) -> bytes:
            return ("<a>" * (depth - 1) + inner + "</a>" * (depth - 1)).encode()

        parse(nested(limit), limits=Limits(depth=limit))
        with pytest.raises(MalformedRequest, match=f"more than {limit} deep"):
            parse(nested(limit + 1), limits=Limits(depth=limit))
        with pytest.raises(MalformedRequest, match=f"more than {limit} deep"):
            parse(nested(limit + 1).decode().encode("utf-16"), limits=Limits(depth=limit))

    @pytest.mark.parametrize("depth", [300, 3000, 100_000])
    def test_depth_far_past_it_is_refused(self, depth: int) -> None:
        with pytest.raises(MalformedRequest):
            parse(b"<a>" * depth + b"</a>" * depth)

    def test_many_shallow_elements_are_not_deep(self) -> None:
        parse(b"<r>" + b"<a></a>" * 1000 + b"</r>", limits=Limits(depth=2))

    def test_size_is_exact(self) -> None:
        document = b"<r>" + b"x" * 93 + b"</r>"
        parse(document, limits=Limits(size=100))
        with pytest.raises(RequestTooLarge, match="101 bytes; at most 100"):
            parse(document + b"\n", limits=Limits(size=100))

    @pytest.mark.parametrize(
        "document",
        [
            b"<r>" + b"<a/>" * 9 + b"</r>",
            b"<r>" + b"<a/>=" * 9 + b"</r>",
            b"<r " + b" ".join(b'a%d=""' % n for n in range(9)) + b"/>",
            b"<!----><?p ?><r>" + b"<!--=-->" * 4 + b"<?p ?>" + b"</r><!----><?p ?>",
            "<r>".encode("utf-16") + ("<a/>" * 9 + "</r>").encode("utf-16le"),
        ],
    )
    def test_nodes_are_exact(self, document: bytes) -> None:
        parse(document, limits=Limits(nodes=10))
        with pytest.raises(
            RequestTooLarge, match="10 elements, attributes and comments; at most 9"
        ):
            parse(document, limits=Limits(nodes=9))

    def test_namespaces_in_scope_are_exact(self) -> None:
        def declaring(count: int, *, around: str = "{}") -> bytes:
            names = " ".join(f'xmlns:p{n}="urn:{n}"' for n in range(count))
            return around.format(f"<r {names}/>").encode()

        parse(declaring(128))
        with pytest.raises(RequestTooLarge, match="more than 128 namespace declarations"):
            parse(declaring(129))
        with pytest.raises(RequestTooLarge, match="more than 128 namespace declarations"):
            parse(declaring(128, around='<o xmlns="urn:o">{}</o>'))

    @pytest.mark.parametrize(
        "written",
        ["xmlns='{}'", 'xmlns:p="{}"', "xmlns:p\n= '{}'", 'b="1" xmlns:long-prefix = "{}"'],
    )
    def test_the_length_of_a_namespace_is_exact(self, written: str) -> None:
        parse(f"<r {written.format('u' * 1024)}/>".encode())
        for long in ("u" * 1025, "&#117;" * 1025):
            with pytest.raises(RequestTooLarge, match="has 1025 characters; at most 1024"):
                parse(f"<r><a {written.format(long)}/></r>".encode())

    def test_other_long_values_are_none_of_a_namespace(self) -> None:
        parse(f"<r a='{'u' * 5000}'>xmlns='{'u' * 5000}'</r>".encode())

    def test_namespaces_out_of_scope_don_t_count(self) -> None:
        parse(b"<r>" + b'<a xmlns:p="urn:p" p:b="1"></a>' * 500 + b"</r>")

    @pytest.mark.parametrize(
        "document",
        [
            b"<!---->" * 500_000 + b"<r/>",
            b"<?a ?><!--" * 400_000,
            b" " * 4_000_000,
            b"<r " + b" ".join(b'xmlns:p%d="u"' % n for n in range(150_000)) + b"/>",
            b"<r " + b" ".join(b'p%d=""' % n for n in range(300_000)) + b"/>",
        ],
    )
    def test_floods_are_refused_in_time(self, document: bytes) -> None:
        began = time.perf_counter()
        with pytest.raises(MalformedRequest):
            parse(document)
        assert time.perf_counter() - began < 5

    @pytest.mark.parametrize(
        "document",
        [
            b"",
            b"  ",
            b"hello",
            b'{"a": 1}',
            b"<",
            b"<?xml version='1.0'",
            b"<!-- x",
            b"<r>",
            b"<r/>x",
        ],
    )
    def test_what_is_no_document_is_said_so(self, document: bytes) -> None:
        with pytest.raises(MalformedRequest, match="not well-formed XML"):
            parse(document)


class TestText:
    @pytest.mark.parametrize(
        ("document", "text"),
        [
            ("<r/>", ""),
            ("<r> a b\n</r>", "a b"),
            ("<r>\n<!-- x -->ab<!-- y -->cd<?p z?>ef </r>", "abcdef"),
            ("<r>a<![CDATA[<b>]]>c</r>", "a<b>c"),
            ("<r>a<b>not mine</b>c</r>", "ac"),
        ],
    )
    def test_is_whole_around_comments(self, document: str, text: str) -> None:
        assert text_of(parse(document.encode())) == text


class TestSerialise:
    def test_keeps_prefixes_that_only_text_uses(self) -> None:
        root = parse(b'<r xmlns:w="urn:w" xmlns="urn:d"><a>w:foo</a>tail</r>')
        piece = serialise(root[0])
        assert b"tail" not in piece
        assert parse(piece).nsmap == {"w": "urn:w", None: "urn:d"}
        joined = parse(b"<x:o xmlns:x='urn:x'>" + piece + piece + b"</x:o>")
        assert [child.nsmap["w"] for child in joined] == ["urn:w", "urn:w"]

    @given(
        name=st.from_regex(
            "[_A-Za-zÀ-ÖØ-öø-˿Ͱ-ͽ一-龥][-.0-9A-Za-z·À-Ö̀-ͯ一-龥]{0,9}", fullmatch=True
        ),
        text=st.text(
            st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
        ),
    )
    def test_round_trip_in_every_script(self, name: str, text: str) -> None:
        element = etree.Element(name)
        element.set(name, text)
        element.text = text or None
        once = serialise(element)
        again = parse(b"<o>" + once + b"</o>")[0]
        assert (again.tag, again.get(name), again.text or "") == (name, text, text)
        assert serialise(again) == once

    def test_of_many_pieces_is_bounded(self) -> None:
        root = parse(b'<r xmlns:p="urn:' + b"x" * 1000 + b'">' + b"<a/>" * 10 + b"</r>")
        whole = serialise_all(root, limit=100_000)
        assert len(whole) == 10
        size = sum(map(len, whole))
        assert serialise_all(root, limit=size) == whole
        with pytest.raises(RequestTooLarge, match=f"more than {size - 1} bytes"):
            serialise_all(root, limit=size - 1)
