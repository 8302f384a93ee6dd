"""The state of a device, kept up to date by its messages."""

from __future__ import annotations

from aggregator.sources._device import device_state

from aggregator.wire.parse import parse
from tests.onvif_schemas import NT, TNS1, TT


def message(
    topic: str = "p:Motion",
    *,
    key: str = "",
    state: str = "1",
    about: str = "Changed",
    more: str = "",
) -> bytes:
    keyed = f'<tt:Key><tt:SimpleItem Name="Rule" Value="{key}"/></tt:Key>' if key else ""
    return (
        f'<n:NotificationMessage xmlns:n="{NT}" xmlns:p="{TNS1}" xmlns:q="{TNS1}" xmlns:tt="{TT}">'
        f"{more}<n:Topic>{topic}</n:Topic><n:Message>"
        f'<tt:Message UtcTime="2026-01-01T00:00:00Z" PropertyOperation="{about}">'
        f'<tt:Source><tt:SimpleItem Name="A" Value="1"/></tt:Source>{keyed}'
        f'<tt:Data><tt:SimpleItem Name="State" Value="{state}"/></tt:Data></tt:Message>'
        "</n:Message></n:NotificationMessage>"
    ).encode()


def after(*messages: bytes) -> tuple[bytes, ...]:
    state: tuple[bytes, ...] = ()
    for one in messages:
        state = device_state(state, parse(one))
    return state


def values(state: tuple[bytes, ...]) -> list[str]:
    return [parse(one).xpath("string(//*[@Name='State']/@Value)") for one in state]


def test_the_last_message_of_a_property_counts() -> None:
    assert values(after(message(state="1"), message(state="2"))) == ["2"]


def test_a_topic_is_the_same_under_another_prefix() -> None:
    assert values(after(message("p:Motion"), message("q:Motion", state="2"))) == ["2"]
    assert len(after(message("p:Motion"), message("p:Motion/Cell"), message("Motion"))) == 3


def test_keys_are_told_apart() -> None:
    assert len(after(message(key="a"), message(key="b"), message(key="a"))) == 2


def test_one_that_is_deleted_goes() -> None:
    state = after(message(key="a"), message(key="b", state="2"), message(key="a", about="Deleted"))
    assert values(state) == ["2"]
    assert after(message(about="Deleted")) == ()


def test_the_one_that_was_told_of_longest_ago_goes_first() -> None:
    messages = [message(key=str(number), state=str(number)) for number in range(500)]
    state = after(*messages, message(key="0", state="again"), message(key="x", state="new"))
    assert len(state) == 500
    assert values(state)[:1] == ["2"]
    assert values(state)[-2:] == ["again", "new"]


def test_references_are_left_out() -> None:
    more = "<n:SubscriptionReference>secret</n:SubscriptionReference>"
    [kept] = after(message(more=more))
    assert b"secret" not in kept
