"""Messengers: ways by which streams leave, a module each."""

from __future__ import annotations

from aggregator.streams.messengers.function import FunctionMessenger

__all__ = ["FunctionMessenger"]
