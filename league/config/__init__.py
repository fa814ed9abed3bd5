"""From texts and YAML to settings, or to one message."""
