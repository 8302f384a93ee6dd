"""XPath and XSLT as the evaluating process performs them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aggregator.errors import ConfigError, InvalidQuery, QueryFailed
from aggregator.member.stylesheet import apply_stylesheet, compile_stylesheet
from aggregator.member.turns import Turns
from aggregator.member.xpath import query

ELEMENTS = (
    b'<b xmlns:r="urn:r" x="1&amp;2" y="3" q="r:n">t&lt;<d/></b>',
    b'<c xmlns="urn:c"/>',
)
INNER = b"".join(ELEMENTS).decode()
DOCUMENT = f"<a>{INNER}</a>".encode()
WHOLE = f'<doc:HostRP xmlns:doc="urn:mds-aggregator:member">{INNER}</doc:HostRP>'


def found(expression: str, *, max_result: int = 10_000) -> str:
    """What an expression finds."""
    namespaces = {"c": "urn:c"}
    return query(expression, ELEMENTS, namespaces=namespaces, max_result=max_result).decode()


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("//b", ELEMENTS[0].decode()),
        ("//c:c", ELEMENTS[1].decode()),
        ("//b/@x | //b/@y", "1&amp;2\n3"),
        ("//b/text()", "t&lt;"),
        ("string(//b)", "t&lt;"),
        ("//b | //b/@y", f"{ELEMENTS[0].decode()}3\n"),
        ("count(//*)", "4"),
        ("-1 div 0", "-Infinity"),
        ("2000000 * 1000", "2000000000"),
        ("//b/@y = 3", "true"),
        ("//nothing", ""),
        ("/", WHOLE),
        ("/ | //nothing", WHOLE),
    ],
)
def test_results_are_written_as_those_of_a_group(expression: str, wanted: str) -> None:
    assert found(expression) == wanted


def test_prefixes_that_text_uses_come_along_with_a_part() -> None:
    assert 'xmlns:r="urn:r"' in found("//d")


def test_a_result_over_the_limit_is_refused() -> None:
    with pytest.raises(QueryFailed, match="more than 10 bytes"):
        found("/", max_result=10)


@pytest.mark.parametrize("expression", ["//[", "((", "'"])
def test_what_is_no_xpath_is_told(expression: str) -> None:
    with pytest.raises(InvalidQuery):
        found(expression)


def stylesheet(body: str, extra: str = "") -> bytes:
    """A stylesheet with one template for the document."""
    return (
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" '
        f'xmlns:e="http://exslt.org/common" extension-element-prefixes="e">{extra}'
        f'<xsl:template match="/">{body}</xsl:template></xsl:stylesheet>'
    ).encode()


def test_a_stylesheet_makes_an_element() -> None:
    made = apply_stylesheet(stylesheet('<n><xsl:value-of select="count(//*)"/></n>'), DOCUMENT)
    assert made == b"<n>4</n>"


def test_a_stylesheet_reads_and_writes_no_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("<secret/>")
    written = tmp_path / "written.xml"
    for body in (
        f"""<n><xsl:copy-of select="document('{secret}')"/></n>""",
        f"""<n><xsl:copy-of select="document('file://{secret}')"/></n>""",
        f'<n><e:document href="{written}"><x/></e:document></n>',
    ):
        try:
            made = apply_stylesheet(stylesheet(body), DOCUMENT)
        except ConfigError:
            continue
        assert b"secret" not in made
    assert not written.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"<a/>",
        b"no",
        stylesheet("", f'<xsl:include href="file://{__file__}"/>'),
        stylesheet('<xsl:value-of select="(("/>'),
    ],
)
def test_what_is_no_stylesheet_is_told(text: bytes) -> None:
    with pytest.raises(ConfigError):
        compile_stylesheet(text)


def test_a_stylesheet_that_makes_nothing_is_told() -> None:
    with pytest.raises(ConfigError, match="made no element"):
        apply_stylesheet(stylesheet("text"), DOCUMENT)


def test_places_are_shared_between_clients() -> None:
    async def play() -> list[str]:
        turns = Turns(total=2, each=1, patience=0.02)
        told = []

        async def work(client: str) -> None:
            try:
                async with turns.of(client):
                    await asyncio.sleep(0.1)
                told.append(f"{client} worked")
            except QueryFailed:
                told.append(f"{client} waited")

        await asyncio.gather(*(work(client) for client in ("a", "a", "b", "c")))
        async with turns.of("a"):
            told.append("free again")
        return told

    assert sorted(asyncio.run(play())) == [
        "a waited",
        "a worked",
        "b worked",
        "c waited",
        "free again",
    ]
