"""``keyturn pick``: choose a model for one run of Claude Code, and start it."""
