"""``python -m tests.tokens > docs/token-counts.md``."""

from tests.tokens.page import page

print(page(), end="")
