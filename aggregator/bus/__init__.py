"""The event bus: the service's own life as events."""
