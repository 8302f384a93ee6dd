"""QNames in text resolve by the scope of their element."""

from __future__ import annotations

import pytest

from aggregator.errors import ConfigError
from aggregator.wire.parse import parse
from aggregator.wire.qnames import read_qname


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ('<n xmlns:w="urn:w">w:foo</n>', "{urn:w}foo"),
        ('<n xmlns:w="urn:w">\n\t w:foo </n>', "{urn:w}foo"),
        ('<n xmlns:w="urn:w"><!-- the name: -->w:fo<?x ?>o</n>', "{urn:w}foo"),
        ('<n xmlns="urn:d">foo</n>', "{urn:d}foo"),
        ('<p:n xmlns:p="urn:p" xmlns="urn:d">foo</p:n>', "{urn:d}foo"),
        ("<n>foo</n>", "foo"),
        ('<o xmlns="urn:d"><n xmlns="">foo</n></o>', "foo"),
        ('<o xmlns:w="urn:outer"><n>w:foo</n></o>', "{urn:outer}foo"),
        ('<o xmlns:w="urn:outer"><n xmlns:w="urn:inner">w:foo</n></o>', "{urn:inner}foo"),
        ("<n>xml:lang</n>", "{http://www.w3.org/XML/1998/namespace}lang"),
        ('<n xmlns:größe="urn:w">größe:Maß-1.2_·</n>', "{urn:w}Maß-1.2_·"),
        ('<n xmlns:क="urn:w">क:कि</n>', "{urn:w}कि"),
    ],
)
def test_is_resolved(document: str, name: str) -> None:
    root = parse(document.encode())
    assert read_qname(root[0] if len(root) and root.tag != "n" else root) == name


@pytest.mark.parametrize(
    "text", ["", " ", ":a", "a:", "a:b:c", "a b", "1a", "-a", "{urn:w}a", "a/b"]
)
def test_what_is_none_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match="is no QName like p:name") as refused:
        read_qname(
            parse(f'<x:ProbeName xmlns:x="urn:x" xmlns:a="urn:a">{text}</x:ProbeName>'.encode())
        )
    assert refused.value.element == "ProbeName"
    assert repr(text.strip()) in refused.value.message


@pytest.mark.parametrize("prefix", ["w", "xmlns"])
def test_unknown_prefix_is_named(prefix: str) -> None:
    with pytest.raises(ConfigError, match=f"the prefix '{prefix}' of '{prefix}:foo'"):
        read_qname(parse(f"<n>{prefix}:foo</n>".encode()))


def test_text_may_be_given() -> None:
    assert read_qname(parse(b'<n xmlns:w="urn:w">other</n>'), text=" w:foo") == "{urn:w}foo"
