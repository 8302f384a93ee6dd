"""Notifications on their way to consumers: written, sent in order, tried again."""
