"""Results on standard output: as XML or text, as a table, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import click
from lxml import etree

from aggregator.wire import namespaces as ns
from aggregator.wire.parse import NO_LIMITS, Element, parse, serialise

Output = Literal["table", "xml", "json"]
Callback = Callable[..., Any]
_SOAP = (ns.SOAP11, ns.SOAP12)


def output_option(default: Output) -> Callable[[Callback], Callback]:
    """The option ``--output``."""
    return click.option(
        "--output",
        type=click.Choice(["table", "xml", "json"]),
        default=default,
        show_default=True,
        help="How the result is written.",
    )


def result_items(reply: Element) -> list[Element | str]:
    """What a reply holds, in order: elements, and the lines of text between them.

    A scalar result of XPath is text; attributes and text nodes come one a line.
    """
    items: list[Element | str] = _lines(reply.text)
    for child in reply.iterchildren(tag="*"):
        items.append(child)
        items += _lines(child.tail)
    return items


def _lines(text: str | None) -> list[Element | str]:
    return [line for line in (text or "").splitlines() if line.strip()]


def show_items(items: Sequence[Element | str], output: Output) -> None:
    """Write a result: an element or a text a line."""
    if output == "json":
        show_json([_described(item) for item in items])
    elif output == "table":
        rows = [_described(item) for item in items]
        show_table(
            ("name", "value"),
            [(row["name"].rpartition("}")[2], " ".join(row["text"].split())) for row in rows],
        )
    else:
        for item in items:
            click.echo(item if isinstance(item, str) else readable(item))


def _described(item: Element | str) -> dict[str, str]:
    if isinstance(item, str):
        return {"name": "", "text": item}
    text = "".join(map(str, item.itertext()))
    return {"name": str(item.tag), "text": text.strip(), "xml": readable(item)}


def readable(element: Element) -> str:
    """The element as a document of its own, without the declarations of the envelope around it.

    All other prefixes stay, because QNames in text may rest on them.
    """
    alone = parse(serialise(element), limits=NO_LIMITS)
    prefixes = {
        prefix for node in alone.iter("*") for prefix, uri in node.nsmap.items() if uri not in _SOAP
    }
    if None not in prefixes:
        etree.cleanup_namespaces(alone, keep_ns_prefixes=[name for name in prefixes if name])
    return serialise(alone).decode()


def show_json(value: Sequence[Mapping[str, Any]]) -> None:
    """Write JSON, indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write columns as wide as their widest cell; the header is bold on a terminal."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
    click.secho(_line([name.upper() for name in header], widths), bold=True)
    for row in rows:
        click.echo(_line(row, widths))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()
