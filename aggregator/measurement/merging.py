"""What a metadata inherits of the one that its metadataIdRef names.

The child's words stand: of the parent it takes the parts of a subject that it does not have itself,
the parameters whose names it does not use, and the event types that it has in common with it.
"""

from __future__ import annotations

from copy import deepcopy

from lxml import etree

from aggregator.errors import NmwgError
from aggregator.wire.nmwg_metadata import EVENT_TYPE, KEY
from aggregator.wire.parse import Element, text_of


def merged(child: Element, parent: Element) -> Element:
    """A metadata of its own with all that both say; raises NmwgError (error.common.merge)."""
    names = child.get("id", ""), parent.get("id", "")
    if child.find(KEY) is not None or parent.find(KEY) is not None:
        raise merge_error("Merging with a key metadata is invalid")
    found = deepcopy(child)
    del found[:]
    found.text = None
    subject = _subject(child, parent, names)
    if subject is not None:
        found.append(subject)
    for text in _event_types(child, parent, names):
        etree.SubElement(found, EVENT_TYPE).text = text
    found.extend(_parameters(child, parent))
    return found


def merge_error(text: str) -> NmwgError:
    """What is wrong with a chain."""
    return NmwgError("error.common.merge", text)


def subject_of(metadata: Element) -> Element | None:
    """The one subject of a metadata, of whatever namespace."""
    found = list(metadata.iterchildren("{*}subject"))
    if len(found) > 1:
        raise merge_error(f"Metadata {metadata.get('id', '')} has multiple subjects")
    return found[0] if found else None


def _subject(child: Element, parent: Element, names: tuple[str, str]) -> Element | None:
    mine, theirs = subject_of(child), subject_of(parent)
    if mine is None or theirs is None:
        one = theirs if mine is None else mine
        return None if one is None else deepcopy(one)
    if mine.tag != theirs.tag:
        raise merge_error(
            f"Metadata {names[0]} and {names[1]} have subjects with different namespaces."
        )
    return _joined(mine, theirs)


def _joined(mine: Element, theirs: Element) -> Element:
    """`mine` with the attributes and elements of `theirs` that it does not have."""
    found = deepcopy(mine)
    for name, value in theirs.attrib.items():
        if name not in found.attrib:
            found.set(name, value)
    # A look through all of them for each would take minutes for some ten thousand.
    known: dict[str, Element] = {}
    for one in found.iterchildren("*"):
        known.setdefault(str(one.tag), one)
    for one in theirs.iterchildren("*"):
        same = known.get(str(one.tag))
        copied = deepcopy(one) if same is None else _joined(same, one)
        if same is None:
            found.append(copied)
        else:
            found.replace(same, copied)
        known[str(one.tag)] = copied
    return found


def _event_types(child: Element, parent: Element, names: tuple[str, str]) -> list[str]:
    mine = [text_of(one) for one in child.iterchildren(EVENT_TYPE)]
    theirs = [text_of(one) for one in parent.iterchildren(EVENT_TYPE)]
    if not mine or not theirs:
        return mine or theirs
    known = set(theirs)
    both = [one for one in mine if one in known]
    if not both:
        raise merge_error(f"Metadata {names[0]} and {names[1]} have no eventTypes in common")
    return both


def _parameters(child: Element, parent: Element) -> list[Element]:
    """One block of each namespace: the child's, and what only the parent's have."""
    blocks: dict[str, Element] = {}
    for metadata in (child, parent):
        known = {
            tag: {one.get("name") for one in block.iterchildren("*")}
            for tag, block in blocks.items()
        }
        for block in metadata.iterchildren("{*}parameters"):
            tag = str(block.tag)
            if tag not in blocks:
                blocks[tag] = deepcopy(block)
                continue
            taken = known.get(tag, set())
            blocks[tag].extend(
                deepcopy(one) for one in block.iterchildren("*") if one.get("name") not in taken
            )
    return list(blocks.values())
