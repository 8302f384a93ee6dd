"""The kinds of requests that there are, and how many of each make a round."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.fuzzing.case import Case
from tests.fuzzing.envelopes import operations
from tests.fuzzing.mutations import NOISE, SPOILT
from tests.fuzzing.transport import HTTP

KINDS: dict[str, st.SearchStrategy[Case]] = {
    **operations(),
    "spoilt": SPOILT,
    "noise": NOISE,
    "http": HTTP,
}
#: Of a hundred requests.
SHARES = {
    "add": 30,
    "lifetime": 14,
    "read": 10,
    "query": 12,
    "document": 2,
    "unknown": 2,
    "spoilt": 20,
    "noise": 2,
    "http": 8,
}
assert set(KINDS) == set(SHARES)
assert sum(SHARES.values()) == 100
