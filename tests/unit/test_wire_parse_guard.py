"""The guarded parse lets no DOCTYPE in, whatever the encoding, and reads those that it names."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import MalformedRequest
from aggregator.wire.parse import ENCODINGS, parse, text_of

BOM_UTF8 = b"\xef\xbb\xbf"
DOCTYPES = (
    "<!DOCTYPE r>",
    '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd">',
    '<!DOCTYPE r [<!ENTITY e "x">]>',
    "<!DOCTYPE\tr\n[<!ATTLIST r a CDATA 'x'>]>",
)
PROLOGS = (
    "",
    " \t\r\n",
    "<!-- c -->",
    "<?pi d?>",
    "<!-- <r/> ><?x ?>-->",
    "<?pi <!-- ?>",
    "<!-- <?pi -->\n<?p ?>\n<!---->",
    "<!--" + "x" * 9000 + "-->",
)
#: Names of encodings as the wire may write them, also in other cases and with quotes.
SPELLINGS = st.sampled_from(sorted(ENCODINGS)).flatmap(
    lambda name: st.sampled_from((name, name.upper(), f'"{name}"'))
)


def encoded(text: str, encoding: str) -> bytes:
    return text.encode(encoding.strip('"'), errors="xmlcharrefreplace")


class TestDoctype:
    @given(
        encoding=SPELLINGS,
        charset=st.one_of(st.just(""), SPELLINGS),
        declared=st.one_of(st.none(), SPELLINGS),
        bom=st.sampled_from((b"", BOM_UTF8, b"\xff\xfe", b"\xfe\xff")),
        prolog=st.lists(st.sampled_from(PROLOGS), max_size=3),
        doctype=st.sampled_from(DOCTYPES),
    )
    def test_never_gets_in(  # noqa: PLR0917 - hypothesis names the arguments.
        self,
        encoding: str,
        charset: str,
        declared: str | None,
        bom: bytes,
        prolog: list[str],
        doctype: str,
    ) -> None:
        declaration = ""
        if declared is not None:
            declaration = f'<?xml version="1.0" encoding="{declared.strip(chr(34))}"?>'
        text = f"{declaration}{''.join(prolog)}{doctype}<r a='1'>&#101;</r>"
        with pytest.raises(MalformedRequest):
            parse(bom + encoded(text, encoding), charset=charset)

    @pytest.mark.parametrize("doctype", DOCTYPES)
    @pytest.mark.parametrize("encoding", sorted(ENCODINGS))
    def test_is_named_in_every_encoding(self, encoding: str, doctype: str) -> None:
        with pytest.raises(MalformedRequest, match="DOCTYPE"):
            parse(encoded(f"<!-- c -->\n{doctype}<r/>", encoding), charset=encoding)

    @pytest.mark.parametrize(
        "document",
        [
            BOM_UTF8 * 2 + b"<!DOCTYPE r><r/>",
            "\ufeff\ufeff<!DOCTYPE r><r/>".encode("utf-16"),
            "<!DOCTYPE r><r/>".encode("utf-32"),
            "<!DOCTYPE r><r/>".encode("cp037"),
            '<?xml version="1.0" encoding="utf-7"?><!DOCTYPE r><r/>'.encode("utf-7"),
            b"+ADwAIQ-DOCTYPE r+AD4APA-r/+AD4-",
            b"\x00\x00\x00<!DOCTYPE r><r/>",
            b"<!DOCTYPE\x00 r><r/>",
            b"\x0c<!DOCTYPE r><r/>",
        ],
    )
    def test_hidden_from_the_look_at_the_prolog_is_refused(self, document: bytes) -> None:
        with pytest.raises(MalformedRequest):
            parse(document)

    def test_bomb_costs_no_time(self) -> None:
        nested = "".join(f'<!ENTITY e{level} "{f"&e{level - 1};" * 10}">' for level in range(1, 12))
        bomb = f'<!DOCTYPE r [<!ENTITY e0 "lol">{nested}]><r a="&e11;">&e11;</r>'
        began = time.perf_counter()
        with pytest.raises(MalformedRequest, match="DOCTYPE"):
            parse(bomb.encode())
        assert time.perf_counter() - began < 0.5

    def test_word_after_the_root_begins_is_text_like_any_other(self) -> None:
        root = parse(b"<r><!-- <!DOCTYPE x> --><![CDATA[<!DOCTYPE x>]]></r>")
        assert text_of(root) == "<!DOCTYPE x>"

    @pytest.mark.parametrize("reference", ["&e;", "&lt;&e;"])
    def test_entity_without_one_is_refused(self, reference: str) -> None:
        with pytest.raises(MalformedRequest, match="not well-formed"):
            parse(f"<r>{reference}</r>".encode())


class TestEncoding:
    @given(
        text=st.text(st.characters(codec="latin-1", categories=("L", "N", "P", "Zs"))),
        charset=st.sampled_from(("utf-8", "utf-16", "iso-8859-1", "latin1", "")),
        declared=st.sampled_from(("", "utf-8", "iso-8859-1", "us-ascii", "utf-16")),
    )
    def test_mark_goes_before_charset_and_charset_before_declaration(
        self, text: str, charset: str, declared: str
    ) -> None:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        document = f"{declaration}<r>{escaped}</r>"
        for marked in (document.encode("utf-8-sig"), document.encode("utf-16")):
            assert (parse(marked, charset=charset).text or "") == text
        if charset:
            assert (parse(document.encode(charset), charset=charset).text or "") == text

    @pytest.mark.parametrize("encoding", sorted(ENCODINGS))
    def test_is_read_under_each_name(self, encoding: str) -> None:
        assert parse(encoded("<r>é</r>", encoding), charset=encoding).text == "é"
        assert parse(encoded("<r>é</r>", encoding), charset=f'"{encoding.upper()}"').text == "é"
        if not encoding.startswith("utf-16"):
            declared = f'<?xml version="1.0" encoding="{encoding}"?><r>é</r>'
            assert parse(encoded(declared, encoding)).text == "é"

    @pytest.mark.parametrize("order", ["utf-16le", "utf-16be"])
    @pytest.mark.parametrize("charset", ["", "utf-16"])
    def test_of_two_bytes_is_told_by_its_zeros(self, order: str, charset: str) -> None:
        assert parse("<r>é</r>".encode(order), charset=charset).text == "é"

    @pytest.mark.parametrize(
        ("document", "charset"),
        [
            (b"<r>\xe9</r>", ""),
            (b"<r>\xe9</r>", "utf-8"),
            (b"<r>\xc0\xaf</r>", ""),
            (b"<r>\xed\xa0\x80</r>", ""),
            (b"<r>\xc3\xa9</r>", "us-ascii"),
            ("<r>é</r>".encode("utf-16le"), "utf-8"),
            ("<r>é</r>".encode("utf-16")[:-1], ""),
            (b'<?xml version="1.0" encoding="utf-16"?><r/>', ""),
            (b"<r>\x00</r>", ""),
            (b"<r/>\x00", ""),
            (b"<r>\x01</r>", ""),
            (b"<r>&#0;</r>", ""),
            (b'<?xml version="1.1"?><r>&#1;</r>', ""),
            (b"<r>&#xFFFE;</r>", ""),
            (b"<r>&#xD800;</r>", ""),
        ],
    )
    def test_that_does_not_fit_is_refused(self, document: bytes, charset: str) -> None:
        with pytest.raises(MalformedRequest):
            parse(document, charset=charset)

    @pytest.mark.parametrize("name", ["utf-7", "utf-32", "cp037", "zip", "x" * 500, "rot13", "\0"])
    def test_unknown_is_named(self, name: str) -> None:
        with pytest.raises(MalformedRequest, match="send UTF-8"):
            parse(b"<r/>", charset=name)
