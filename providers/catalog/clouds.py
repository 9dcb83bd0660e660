"""Rows of the clouds that resell models to their own customers."""

from __future__ import annotations

from dataclasses import replace

from providers.catalog import quirks
from providers.spec import Auth, Face, ProviderSpec

CLOUDS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        # docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api.html: with a Bedrock API key no request
        # is signed. The Messages dialect is Claude's; other models speak Chat Completions.
        id="bedrock",
        title="Amazon Bedrock",
        prefixes=("BEDROCK",),
        dialect="anthropic",
        base_url="https://bedrock-runtime.us-east-1.amazonaws.com/anthropic",
        auth=Auth.BEARER,
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        key_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
        default_model="global.anthropic.claude-opus-4-8",
        quirks=replace(quirks.CLAUDE, server_tools=()),  # docs.litellm.ai, Claude Code WebSearch: it has no web search
        faces=(Face("openai_chat", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),),
        models="../openai/v1/models",
        examples=("global.anthropic.claude-sonnet-4-6",),
        as_of="2026-11",
        note="Another region is another host: set BEDROCK_BASE_URL to this one with that region in it.",
    ),
)
