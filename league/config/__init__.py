"""Builds settings from `key=value` texts and YAML, or one message that says what is wrong."""
