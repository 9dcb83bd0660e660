"""Rows of the clouds that resell models to their own customers."""

from __future__ import annotations

from dataclasses import replace

from providers.addresses import MODEL, Part, Site
from providers.catalog import cloud_quirks, message_quirks, quirks
from providers.spec import Auth, Face, LoginKind, ProviderSpec

_DEPLOYMENTS = "/openai/deployments/"
# OpenAI's models, where a deployment has its model's name (learn.microsoft.com/azure/foundry/openai/how-to/reasoning);
# nothing there says that Chat Completions takes files.
_AZURE = replace(
    quirks.OPENAI,
    files=False,
    models=tuple((names, replace(own, files=False)) for names, own in quirks.OPENAI.models),
)

# Google's API keys, and those of Vertex AI's express mode, are a 401 at every endpoint below
# (github.com/Portkey-AI/gateway/issues/1441, github.com/googleapis/java-genai/issues/1000): express mode has Gemini's
# own API alone.
_API_KEY = (
    "this is an API key, which Vertex AI takes for Gemini's own API only. Use Application Default Credentials, or the "
    "provider gemini with a key of AI Studio."
)

CLOUDS: tuple[ProviderSpec, ...] = (
    ProviderSpec(
        # learn.microsoft.com/azure/foundry/openai/api-version-lifecycle: /openai/v1 takes no api-version, and the model
        # is the deployment's name. Of the versions for /openai/deployments the last stable one is 2024-10-21:
        # github.com/Azure/azure-rest-api-specs, cognitiveservices/data-plane/AzureOpenAI/inference/stable (2026-11).
        # Claude: platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry.
        id="azure",
        title="Azure OpenAI and Foundry",
        prefixes=("AZURE",),
        aliases=("azure_ai", "azure_openai"),
        dialect="openai_chat",
        base_url="https://RESOURCE.openai.azure.com/openai/v1",
        auth=Auth.API_KEY,
        key_variables=("AZURE_OPENAI_API_KEY", "ANTHROPIC_FOUNDRY_API_KEY"),
        base_variables=("AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"),
        parts=(Part("RESOURCE", ("AZURE_RESOURCE_NAME",), needed=True),),
        site=Site(
            hosts=(".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com"),
            stem="/openai",
            dated=_DEPLOYMENTS,
            version="2024-10-21",
            roots=(
                ("openai_chat", "/openai/v1"),
                ("openai_responses", "/openai/v1"),
                ("anthropic", "/anthropic"),
            ),
            dated_roots=(("openai_chat", f"{_DEPLOYMENTS}{MODEL}"),),
        ),
        key_url="https://ai.azure.com",
        default_model="gpt-5.4-mini",
        quirks=_AZURE,
        faces=(
            Face("openai_responses", "https://RESOURCE.openai.azure.com/openai/v1", Auth.API_KEY),
            Face(
                "anthropic",
                "https://RESOURCE.services.ai.azure.com/anthropic",
                Auth.API_KEY,
                quirks=message_quirks.CLAUDE,
                default_model="claude-sonnet-5",
                key_variables=("ANTHROPIC_FOUNDRY_API_KEY", "AZURE_OPENAI_API_KEY"),
                base_variables=("ANTHROPIC_FOUNDRY_BASE_URL",),
                parts=(Part("RESOURCE", ("ANTHROPIC_FOUNDRY_RESOURCE",), needed=True),),
            ),
        ),
        examples=("gpt-5.4", "gpt-5.2", "o4-mini"),
        as_of="2026-11",
        note="A model is a deployment's name. AZURE_API_VERSION, a date, asks the older API under /openai/deployments; "
        "Claude in Foundry: ANTHROPIC_FOUNDRY_RESOURCE, or AZURE_DIALECT=anthropic.",
    ),
    ProviderSpec(
        # docs.cloud.google.com/vertex-ai/generative-ai/docs/migrate/openai/overview: Gemini and open models, by
        # "vendor/model". Claude: platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai; paths and hosts as
        # the anthropic SDK 2.10.0 has them.
        id="vertex",
        title="Google Vertex AI",
        prefixes=("VERTEX",),
        aliases=("vertex_ai", "vertex_ai_beta"),
        dialect="openai_chat",
        base_url="https://us-central1-aiplatform.googleapis.com/v1/projects/PROJECT/locations/us-central1/endpoints/openapi",
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
        parts=(
            Part(
                "us-central1",
                ("VERTEX_LOCATION",),
                name="location",
                shared=("CLOUD_ML_REGION",),
                hosts=(
                    ("global", "aiplatform.googleapis.com"),
                    ("us", "aiplatform.us.rep.googleapis.com"),
                    ("eu", "aiplatform.eu.rep.googleapis.com"),
                ),
            ),
            Part(
                "PROJECT",
                ("VERTEX_PROJECT_ID", "ANTHROPIC_VERTEX_PROJECT_ID"),
                needed=True,
                name="project",
                shared=("GOOGLE_CLOUD_PROJECT",),
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
        aliases=("bedrock_converse",),
        dialect="anthropic",
        base_url="https://bedrock-runtime.us-east-1.amazonaws.com/anthropic",
        auth=Auth.BEARER,
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        parts=(Part("us-east-1", ("AWS_REGION", "AWS_DEFAULT_REGION")),),
        key_url="https://console.aws.amazon.com/bedrock/home#/api-keys",
        default_model="global.anthropic.claude-opus-4-8",
        # docs.litellm.ai, Claude Code WebSearch: it has no web search
        quirks=replace(message_quirks.CLAUDE, server_tools=()),
        faces=(Face("openai_chat", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),),
        models="../openai/v1/models",
        login=LoginKind.AWS,
        logged_in=Face(
            # The endpoint that takes both a key and a signature, for Claude; it counts tokens too
            # (docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html). Its models bear no region.
            "anthropic",
            "https://bedrock-mantle.us-east-1.api.aws/anthropic",
            models="../v1/models",
            default_model="anthropic.claude-opus-4-8",
            counts_tokens=True,
        ),
        examples=("global.anthropic.claude-sonnet-4-6",),
        as_of="2026-11",
        note="The region is us-east-1 unless AWS_REGION or AWS_DEFAULT_REGION names another. Without a key, AWS "
        "credentials sign the requests where keyturn[bedrock] is installed: for Claude alone, by names such as "
        "anthropic.claude-opus-4-8.",
    ),
)
