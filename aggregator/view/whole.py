"""Expressions that ask for the whole document: the view answers them without evaluating."""

from __future__ import annotations

#: The document and its root element; both read as the same bytes. The context node is the root.
_WHOLE = frozenset({"/", "/*", "."})


def is_whole_document(expression: str) -> bool:
    """Whether an expression selects the whole property document, as ``wsrf-query`` does."""
    return expression.strip() in _WHOLE
