"""Calls to services: SOAP as a client, in both dialects, with every wait bounded."""
