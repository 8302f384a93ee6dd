"""A reader of changing members that is shown less, or older, than before is told of."""

from __future__ import annotations

import pytest

from bench.changing import MARK
from bench.entries import GLUE
from bench.forward import Forward


def reply(**marks: str) -> bytes:
    """What members say of themselves, by name."""
    clusters = "".join(
        f'<glue:Cluster glue:Name="{name}">{MARK[0]}{mark}{MARK[1]}xxx</glue:Description>'
        "</glue:Cluster>"
        for name, mark in marks.items()
    )
    return f'<all xmlns:glue="{GLUE}">{clusters}</all>'.encode()


def test_what_only_gets_newer_is_well() -> None:
    forward = Forward(2)
    forward.take(reply(a="1767225600.100", b="1767225600.200"))
    forward.take(reply(a="1767225600.100", b="1767225601.000"))
    assert forward.still() == ["a"]
    forward.take(reply(a="1767225602.000", b="1767225601.000"))
    assert forward.still() == []
    assert forward.replies == 3


@pytest.mark.parametrize(
    "second",
    [
        reply(a="1767225600.099", b="1767225600.300"),
        reply(a="1767225600.100"),
        reply(a="1767225600.100", b="none"),
    ],
)
def test_what_is_older_or_not_whole_is_refused(second: bytes) -> None:
    forward = Forward(2)
    forward.take(reply(a="1767225600.100", b="1767225600.200"))
    with pytest.raises(RuntimeError):
        forward.take(second)
