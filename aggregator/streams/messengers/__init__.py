"""Messengers: ways by which streams leave, a module each."""
