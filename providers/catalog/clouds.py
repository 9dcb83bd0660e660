"""Rows of the clouds that resell models to their own customers."""

from __future__ import annotations

from providers.catalog import cloud_quirks, quirks
from providers.places import Place
from providers.spec import Auth, Face, LoginKind, ProviderSpec

# Google's API keys, and those of Vertex AI's express mode, are a 401 at every endpoint below
# (github.com/Portkey-AI/gateway/issues/1441, github.com/googleapis/java-genai/issues/1000): express mode has Gemini's
# own API alone.
_API_KEY = (
    "this is an API key, which Vertex AI takes for Gemini's own API only. Use Application Default Credentials, or the "
    "provider gemini with a key of AI Studio."
)

CLOUDS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        # docs.cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview: Gemini and open models, by
        # "vendor/model". Claude: platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai; paths and hosts as
        # the anthropic SDK 2.10.0 has them.
        id="vertex",
        title="Google Vertex AI",
        prefixes=("VERTEX",),
        aliases=("vertex_ai", "vertex_ai_beta"),
        dialect="openai_chat",
        base_url="https://{location}-aiplatform.googleapis.com/v1/projects/{project}/locations/{location}/endpoints/openapi",
        auth=Auth.BEARER,
        key_url="https://console.cloud.google.com/iam-admin/serviceaccounts",
        default_model="google/gemini-3.5-flash",
        namespaces=("google", "meta", "mistralai", "deepseek-ai", "qwen", "openai", "moonshotai", "zai-org"),
        quirks=cloud_quirks.VERTEX,
        faces=(
            Face(
                "anthropic",
                "../../publishers/anthropic/models",
                serves=("claude-",),
                quirks=cloud_quirks.VERTEX_CLAUDE,
                counts_tokens=True,
            ),
        ),
        places=(
            Place("project", ("VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_PROJECT_ID"), ("GOOGLE_CLOUD_PROJECT",)),
            Place(
                "location",
                ("VERTEX_LOCATION",),
                ("CLOUD_ML_REGION",),
                default="us-central1",
                hosts=(
                    ("global", "aiplatform.googleapis.com"),
                    ("us", "aiplatform.us.rep.googleapis.com"),
                    ("eu", "aiplatform.eu.rep.googleapis.com"),
                ),
            ),
        ),
        login=LoginKind.GOOGLE,
        not_keys=(("AIza", _API_KEY), ("AQ.", _API_KEY)),
        pooling=(
            "newer models have no quotas, their capacity is shared by all customers "
            "(docs.cloud.google.com/vertex-ai/generative-ai/docs/quotas-genai, read 2026-11)"
        ),
        examples=("google/gemini-3.1-pro-preview", "claude-sonnet-4-6", "claude-opus-4-6"),
        as_of="2026-11",
        note=(
            "Logs in by Google's Application Default Credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, or "
            "the machine's own service account. VERTEX_API_KEY is for an access token, which lives an hour. "
            "VERTEX_PROJECT_ID may be left out where the credentials name a project; VERTEX_LOCATION=global has the "
            "newest models."
        ),
    ),
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
        quirks=quirks.CLAUDE,
        faces=(Face("openai_chat", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),),
        models="../openai/v1/models",
        examples=("global.anthropic.claude-sonnet-4-6",),
        as_of="2026-11",
        note="Another region is another host: set BEDROCK_BASE_URL to this one with that region in it.",
    ),
)
