"""A registry and monitor for services that speak SOAP and WSRF."""

__version__ = "0.1.0"
