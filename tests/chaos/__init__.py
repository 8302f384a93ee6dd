"""Kills at random moments under load, and the books that show what they cost.

Rounds of this are played by ``tests/integration/test_chaos.py`` and by ``bench/run chaos``.
"""
