"""Any text can be told in XML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.wire.parse import parse
from aggregator.wire.text import xml_text

ANY_TEXT = st.text(st.characters(categories=None))
#: Without the characters that XML 1.0 has no place for, and a few others.
HELD = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"))


@given(text=ANY_TEXT)
def test_any_text_is_well_formed(text: str) -> None:
    parse(f"<t>{xml_text(text)}</t>".encode())


@given(
    text=st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"))
)
def test_what_xml_can_hold_is_kept(text: str) -> None:
    assert (parse(f"<t>{xml_text(text)}</t>".encode()).text or "") == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a\tb\nc\r\nd\re", "a\tb\nc\r\nd\re"),
        ("\x00\x08\x0b\x1f", "\ufffd" * 4),
        ("\ud800 \udfff", "\ufffd \ufffd"),
        ("\ufffe\uffff", "\ufffd\ufffd"),
        ("\x7f\x85\U0001f600\U0010ffff", "\x7f\x85\U0001f600\U0010ffff"),
        ("]]> & <a>", "]]> & <a>"),
    ],
)
def test_the_rest_is_replaced(text: str, read: str) -> None:
    assert parse(f"<t>{xml_text(text)}</t>".encode()).text == read
