"""Chains of metadata: what is inherited, what filters, and what is wrong with them."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from lxml import etree

from aggregator.errors import NmwgError
from aggregator.measurement.chains import LONGEST, Chain, Chains
from aggregator.measurement.message import Message, read_message
from aggregator.wire.nmwg_metadata import event_types, value_of
from aggregator.wire.parse import Limits
from tests.measured import data, find, key, message, metadata, pair, parameter, select

A, B, C = "http://ggf.org/a", "http://ggf.org/b", "http://ggf.org/c"


def chain(inner: str, *, ref: str) -> Chain:
    asked = read(inner + data(ref))
    return Chains(asked).of(asked.triggers[0])


def read(inner: str) -> Message:
    return read_message(message(inner), limits=Limits())


def refused(inner: str, *, ref: str) -> tuple[str, str]:
    with pytest.raises(NmwgError) as error:
        chain(inner, ref=ref)
    return error.value.event_type, str(error.value)


def parameters(*told: str, prefix: str = "nmwg") -> str:
    return f'<{prefix}:parameters id="p">{"".join(told)}</{prefix}:parameters>'


class TestMerging:
    def test_a_child_inherits_what_it_does_not_say(self) -> None:
        parent = metadata("p", subject=pair(), types=[A], inner=parameters(parameter("x", "1")))
        found = chain(parent + metadata("c", ref="p"), ref="c").metadata
        assert [one.get("value") for one in found.iter("{*}src", "{*}dst")] == [
            "192.0.2.1",
            "192.0.2.2",
        ]
        assert event_types(found) == [A]
        assert [value_of(one) for one in found.iter("{*}parameter")] == ["1"]

    def test_event_types_of_both_are_those_in_common(self) -> None:
        inner = metadata("p", types=[A, B]) + metadata("c", types=[B, C], ref="p")
        assert event_types(chain(inner, ref="c").metadata) == [B]

    def test_none_in_common_is_an_error(self) -> None:
        inner = metadata("p", types=[A]) + metadata("c", types=[B], ref="p")
        assert refused(inner, ref="c") == (
            "error.common.merge",
            "Metadata c and p have no eventTypes in common",
        )

    def test_parameters_of_one_namespace_are_put_together_and_the_childs_stand(self) -> None:
        parent = metadata("p", inner=parameters(parameter("x", "1"), parameter("y", "2")))
        child = metadata("c", inner=parameters(parameter("x", "3")), ref="p")
        found = chain(parent + child, ref="c").metadata
        assert [(one.get("name"), value_of(one)) for one in found.iter("{*}parameter")] == [
            ("x", "3"),
            ("y", "2"),
        ]

    def test_parameters_of_different_namespaces_stay_apart(self) -> None:
        parent = metadata("p", inner=parameters(parameter("x", "1"), prefix="iperf"))
        child = metadata("c", inner=parameters(parameter("x", "3")), ref="p")
        found = chain(parent + child, ref="c").metadata
        assert len(find(found, "nmwg:parameters")) == len(find(found, "iperf:parameters")) == 1

    def test_a_subject_is_completed(self) -> None:
        ends = "<nmwg:subject><nmwgt:endPointPair><nmwgt:{}/></nmwgt:endPointPair></nmwg:subject>"
        parent = metadata("p", subject=ends.format('src value="a"'))
        child = metadata("c", subject=ends.format('dst value="b"'), ref="p")
        found = chain(parent + child, ref="c").metadata
        assert [one.get("value") for one in found.iter("{*}src", "{*}dst")] == ["b", "a"]

    def test_subjects_of_different_namespaces(self) -> None:
        parent = metadata("p", subject=pair(prefix="iperf"))
        child = metadata("c", subject=pair(prefix="owamp"), ref="p")
        assert refused(parent + child, ref="c") == (
            "error.common.merge",
            "Metadata c and p have subjects with different namespaces.",
        )

    def test_several_subjects(self) -> None:
        inner = metadata("p", subject=pair() + pair(prefix="iperf"))
        assert refused(inner, ref="p") == (
            "error.common.merge",
            "Metadata p has multiple subjects",
        )

    def test_a_key_is_not_merged(self) -> None:
        inner = metadata("p", inner=key("0" * 32)) + metadata("c", ref="p")
        assert refused(inner, ref="c") == (
            "error.common.merge",
            "Merging with a key metadata is invalid",
        )

    def test_the_message_itself_stays_as_it_came(self) -> None:
        asked = read(metadata("p", subject=pair()) + metadata("c", ref="p") + data("c"))
        before = etree.tostring(asked.element)
        Chains(asked).of(asked.triggers[0])
        assert etree.tostring(asked.element) == before


class TestFilters:
    def test_they_are_ordered_from_the_innermost_outwards(self) -> None:
        inner = metadata("m", subject=pair()) + select("f1", "m") + select("f2", "f1")
        found = chain(inner, ref="f2")
        assert found.id == "m"
        assert [one.id for one in found.filters] == ["f1", "f2"]
        assert found.outermost == "f2"

    def test_without_filters_the_outermost_is_the_metadata(self) -> None:
        assert chain(metadata("m"), ref="m").outermost == "m"

    def test_a_filter_may_inherit(self) -> None:
        shared = select("f1", "m", parameter("startTime", "1"))
        inner = metadata("m", subject=pair()) + shared + metadata("f2", ref="f1")
        # What it inherits of the other is its subject too.
        found = chain(inner, ref="f2")
        assert [one.id for one in found.filters] == ["f2"]
        assert [value_of(one) for one in found.filters[0].metadata.iter("{*}parameter")] == ["1"]

    def test_several_may_inherit_from_one(self) -> None:
        shared = metadata("s", inner=parameters(parameter("startTime", "1"), prefix="select"))
        inner = metadata("m", subject=pair()) + shared
        for id, of in (("f1", "m"), ("f2", "f1")):
            inner += metadata(id, subject=f'<select:subject metadataIdRef="{of}"/>', ref="s")
        found = chain(inner, ref="f2")
        assert [one.id for one in found.filters] == ["f1", "f2"]
        for one in found.filters:
            assert [value_of(told) for told in one.metadata.iter("{*}parameter")] == ["1"]


class TestFaults:
    @pytest.mark.parametrize(
        "inner",
        [
            metadata("a", ref="b") + metadata("b", ref="a"),
            metadata("a", ref="a"),
            select("a", "b") + select("b", "a"),
            select("a", "a"),
            metadata("a", ref="b") + select("b", "a"),
        ],
    )
    def test_a_loop_is_told(self, inner: str) -> None:
        type, text = refused(inner, ref="a")
        assert type == "error.common.merge"
        assert text in (f"Metadata {one} appears multiple times in the chain" for one in "ab")

    @pytest.mark.parametrize("inner", [metadata("a", ref="gone"), select("a", "gone")])
    def test_an_absent_one_is_told(self, inner: str) -> None:
        assert refused(inner, ref="a") == ("error.common.merge", "Metadata gone does not exist")

    def test_a_chain_has_an_end(self) -> None:
        links = [select(f"m{n}", f"m{n + 1}") for n in range(LONGEST)]
        inner = "".join(links) + metadata(f"m{LONGEST}")
        assert refused(inner, ref="m0")[0] == "error.common.merge"
        assert chain(inner, ref="m1").id == f"m{LONGEST}"

    def test_data_without_reference(self) -> None:
        asked = read(metadata("m") + '<nmwg:data id="d1"/>')
        with pytest.raises(NmwgError, match=r'^Data trigger with id "d1" has no metadataIdRef$'):
            Chains(asked).of(asked.triggers[0])

    def test_data_with_a_reference_to_nothing(self) -> None:
        inner = metadata("m")
        assert refused(inner, ref="x") == (
            "error.common.structure",
            'Data trigger with id "x" has no matching metadata',
        )

    def test_of_two_with_one_id_the_first_counts_and_one_without_is_skipped(self) -> None:
        inner = metadata("m", types=[A]) + metadata("m", types=[B]) + metadata("")
        asked = read(inner + data("m"))
        assert list(asked.metadata) == ["m"]
        assert event_types(asked.metadata["m"]) == [A]


class TestCost:
    @pytest.mark.parametrize("form", ["<nmwg:eventType>{}</nmwg:eventType>", "<{}/>"])
    def test_it_grows_with_the_message(self, form: str) -> None:
        def told(prefix: str) -> str:
            inner = "".join(form.format(f"{prefix}{number}") for number in range(30_000))
            is_type = "eventType" in form
            return inner if is_type else f"<nmwg:subject>{inner}</nmwg:subject>"

        asked = read(
            metadata("p", inner=told("a")) + metadata("c", inner=told("b"), ref="p") + data("c")
        )
        began = time.process_time()
        with suppress(NmwgError):
            Chains(asked).of(asked.triggers[0])
        # A look at each of the other's for each takes 10 times as long.
        assert time.process_time() - began < 2

    def test_what_is_merged_is_bounded(self) -> None:
        subject = f"<nmwg:subject>{'<a/>' * 20_000}</nmwg:subject>"
        ids = [f"c{number}" for number in range(40)]
        inner = metadata("p", subject=subject) + "".join(metadata(one, ref="p") for one in ids)
        asked = read(inner + "".join(data(one) for one in ids))
        chains = Chains(asked)
        assert chains.of(asked.triggers[0]).id == "c0"
        with pytest.raises(NmwgError, match="come to too much when merged") as error:
            list(map(chains.of, asked.triggers))
        assert error.value.event_type == "error.common.merge"

    def test_the_clock_is_looked_at_before_each_merge(self) -> None:
        class Late(Exception):
            pass

        def look() -> None:
            raise Late

        asked = read(metadata("p") + metadata("c", ref="p") + data("c") + data("p"))
        chains = Chains(asked, look_at_the_clock=look)
        with pytest.raises(Late):
            chains.of(asked.triggers[0])
        assert chains.of(asked.triggers[1]).id == "p"
