"""ferryllm's own examples, as its users have them; only the provider's address is a test's."""

from __future__ import annotations

EXAMPLE = """\
[server]
listen = "0.0.0.0:3000"
[logging]
level = "info"
format = "json"
[[providers]]
name = "codexapis"
type = "openai"
base_url = "https://codexapis.com"
api_key_env = "CODX_API_KEY"
[[routes]]
match = "claude-"
provider = "codexapis"
rewrite_model = "gpt-5.4"
"""
ALIAS = """\
[[routes]]
match = "cc-gpt55"
match_type = "exact"
provider = "codexapis"
rewrite_model = "gpt-5.4"
"""
ADDRESS = "https://codexapis.com"
KEY = {"CODX_API_KEY": "your-api-key"}
SETTINGS = {
    "ANTHROPIC_API_KEY": "dummy",
    "ANTHROPIC_MODEL": "claude-opus-4-6",
    "ANTHROPIC_DEFAULT_OPUS_MODEL": "claude-opus-4-6",
    "ANTHROPIC_DEFAULT_SONNET_MODEL": "claude-opus-4-6",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL": "claude-haiku-4-5-20251001",
}
CC_SWITCH = {**SETTINGS, "ANTHROPIC_AUTH_TOKEN": "dummy"}


def example(url: str, more: str = "") -> str:
    """Its production example, and the alias, at the address of a scripted upstream."""
    return EXAMPLE.replace(ADDRESS, url) + ALIAS + more
