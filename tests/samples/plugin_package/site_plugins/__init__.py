"""Plug-ins of a site."""
