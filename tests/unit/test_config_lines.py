"""Lines of keys in TOML files, which the standard parser does not tell."""

from __future__ import annotations

import pytest

from aggregator.config.lines import line_of

TEXT = '''\
# [server] in a comment
top = """
[not.a.table]
port = 1
"""

[server]
port = 1
"quoted.key" = 2
a.b.c = 3
many = [
  # ]
  "x]",
  "y",
] # end
inline = { one = 1, two = [ 2 ] }
after = "a \\"b\\" # c"

[[groups.G.rules]]
first = 1

[[groups.G.rules]]
second = 1

[ groups . "H" ]
third = """\\
  x"""
fourth = 4
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("server",), 7),
        (("server", "port"), 8),
        (("server", "quoted.key"), 9),
        (("server", "a", "b", "c"), 10),
        (("server", "many"), 11),
        (("server", "many", 1), 11),
        (("server", "inline", "two", 0), 16),
        (("server", "after"), 17),
        (("groups",), 19),
        (("groups", "G", "rules"), 19),
        (("groups", "G", "rules", 0, "first"), 20),
        (("groups", "G", "rules", 1), 22),
        (("groups", "G", "rules", 1, "second"), 23),
        (("groups", "H", "third"), 26),
        (("groups", "H", "fourth"), 28),
        (("server", "not there"), 7),
        (("not", "there"), None),
        ((), None),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_of(path: tuple[str | int, ...], line: int | None, end: str) -> None:
    assert line_of(TEXT.replace("\n", end), path) == line
