"""Triggers: rules on what is collected, the alerts that they raise, and actions that tell."""
