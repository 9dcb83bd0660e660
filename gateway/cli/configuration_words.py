"""What docs/configuration.md says of the settings that are no variables with a field of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """A key of one of keyturn.toml's tables."""

    key: str
    type: str
    default: str
    meaning: str


_KEY_SOURCES = (
    Entry("api_key", "text", "none", "The key itself."),
    Entry("api_key_env", "text", "none", "The variable that holds it, in the environment or a .env file."),
    Entry("api_key_file", "path", "none", "The file that holds it; a relative path begins at keyturn.toml's folder."),
)
_LIMITS = (
    Entry("requests_per_minute", "whole number above 0", "none", "Calls a minute."),
    Entry("tokens_per_minute", "whole number above 0", "none", "Tokens a minute, of prompts and answers."),
    Entry("max_concurrency", "whole number above 0", "none", "Open calls."),
)
TABLES: Mapping[str, tuple[Entry, ...]] = {
    "providers": (
        Entry("name", "text", "needed", "The id of a provider, or a name of your own for a further one: `a-z0-9_.-`."),
        Entry(
            "type",
            "`anthropic`, `openai`, `openai_responses`, `gemini`",
            "the provider's own",
            "The format to ask in. A further provider needs it.",
        ),
        *_KEY_SOURCES,
        Entry("api_keys", "list of texts", "none", "Several keys."),
        Entry("api_key_url", "`env://` or `file://`", "none", "The key's place as a URL, as ferryllm writes it."),
        Entry(
            "key_watch",
            "tables",
            "none",
            "`[[providers.key_watch]]`: `file`, `path` and `url_path` of a key in another program's JSON or TOML file. "
            "One of these six sources replaces the variables'.",
        ),
        Entry("max_output_tokens", "whole number above 0", "none", "No answer is asked to be longer, in tokens."),
        Entry("headers", "table of texts", "none", "Headers sent with every call."),
        Entry("extra_body", "table", "none", "Members laid over every request's body."),
        Entry("images", "`note`, `refuse`", "`note`", "What becomes of an image for a model that cannot see."),
        Entry("namespaces", "list of texts", "the provider's own", "Vendors whose `vendor/model` is one name there."),
        Entry("server_tools", "list of texts", "the provider's own", "Tools of the web that it runs itself."),
        Entry("keys", "tables", "none", "`[[providers.keys]]`, below."),
        Entry("models", "tables", "none", "`[[providers.models]]`, below."),
    ),
    "providers.keys": (
        Entry("label", "text, at most 40 of `A-Za-z0-9._-`", "`groq-01` ...", "What headers, logs and metrics show."),
        *_KEY_SOURCES,
        Entry("weight", "number above 0", "1", "Its share of the calls, where `key_order` is `weighted`."),
        Entry("account", "text", "one of its own", "Keys of one account share its quota, and rest together."),
        *_LIMITS,
    ),
    "providers.models": (Entry("name", "text", "needed", "The model, as its provider calls it."), *_LIMITS),
    "routes": (
        Entry("match", "text", "needed", "What a requested model's name begins with, or is."),
        Entry("match_type", "`prefix`, `exact`, `glob`", "`prefix`", "How it is compared: `*` and `?` in a glob."),
        Entry("tokens", "list of texts", "all", "Names of the client tokens that the rule is for."),
        Entry("provider", "text", "needed", "The id or the name of the provider that answers."),
        Entry("rewrite_model", "text", "the requested name", "The model to ask it for."),
        Entry(
            "fallbacks", "list of `provider/model`", "none", "Who takes over where it fails, before MODEL_FALLBACKS."
        ),
        Entry("fallback_providers", "list of texts", "none", "The same model at other providers, after `fallbacks`."),
    ),
    "tokens": (
        Entry("name", "text", "needed", "Whose token it is: what logs, metrics and `/admin/usage` show."),
        Entry("token", "text", "none", "The token itself."),
        Entry("token_env", "text", "none", "The variable that holds it."),
        Entry("token_file", "path", "none", "The file that holds it."),
        Entry("hash", "text", "none", "Its SHA-256, as `keyturn token create <name> --toml` prints it."),
        Entry("models", "list of patterns", "all", "What it may use: `groq/*`, `*haiku*`."),
        Entry("providers", "list of patterns", "all", "The same by provider."),
        *_LIMITS,
        Entry("expires", "date or time", "never", "When it ends."),
        Entry("web_tools", "true or false", "`true`", "Whether its requests may have web_search and web_fetch."),
        Entry("web_tools_per_minute", "whole number above 0", "none", "Uses of those that run here."),
    ),
}
ABOUT: Mapping[str, str] = {
    "providers": "One entry a provider: over what is known of it, or for one that Keyturn does not know. It takes the\n"
    "settings above by the names in their last column, and these:",
    "providers.keys": "Keys of the provider above, each with what is known of it. Each takes one of the three sources.",
    "providers.models": "Limits of single models of the provider above.",
    "routes": "Rules by the model's name. They come after the token's suffix and before everything else.",
    "tokens": "Clients with a token of their own, and what they may use: [team.md](team.md). Each takes one of\n"
    "the four sources.",
}
OUTSIDE: Mapping[str, str] = {
    "KEYTURN_CONFIG": "The keyturn.toml to read, as `--config`. Also in .env.",
    "FCC_ENV_FILE": "One more .env file, over `./.env`.",
    "CLAUDE_PICK_PROVIDER": "claude-pick shows this provider's models only.",
    "CLAUDE_PICK_PORT": "Port at which claude-pick looks for the gateway. Unset: PORT.",
    "CLAUDE_PICK_ENV_FILE": "A .env file for claude-pick, over the checkout's.",
    "ANTHROPIC_API_KEY": "The client's own; only beside an earlier proxy's names it means something: docs/moving.md.",
    "HTTPS_PROXY": "Proxy for hosted providers, and so HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case. What runs "
    "on this machine is reached directly.",
    "GOOGLE_APPLICATION_CREDENTIALS": "Google's credentials for `vertex`, else gcloud's (CLOUDSDK_CONFIG says where) "
    "or the metadata server's, for which GCE_METADATA_HOST, NO_GCE_CHECK and K_SERVICE hold.",
    "AWS_ACCESS_KEY_ID": "AWS credentials for `bedrock`, with AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
    "AWS_PROFILE": "The same from a profile; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say where.",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "The same from a role, and so AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI.",
    "AWS_REGION": "Region of `bedrock`, else AWS_DEFAULT_REGION.",
    "PROMETHEUS_MULTIPROC_DIR": "Folder in which the workers of `--workers` keep their metrics. Unset: one of its own.",
    "XDG_RUNTIME_DIR": "Where the admin token's file is; else XDG_STATE_HOME, which has the last picks too, else "
    "`~/.local/state`. On Windows LOCALAPPDATA.",
}
REMOVED_WORDS = "`NIM_ENABLE_THINKING` and `ENABLE_THINKING` are refused, with the names that replace them."
