"""The table holds together: no name means two providers, and every row can be built and used."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urlsplit

import pytest

from providers.call import Operation
from providers.catalog import CATALOG, names
from providers.catalog.message_apis import CLOSED
from providers.dialects import discover
from providers.dialects.anthropic import requests
from providers.dialects.openai_chat import url as chat_url
from providers.errors import Calendar
from providers.spec import Auth, ProviderConfig, ProviderSpec

ROWS = {row.id: row for row in CATALOG}
HOSTED = [row for row in CATALOG if not row.local]
NETWORKED = [row for row in CATALOG if row.id != "demo"]
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def each(rows: list[ProviderSpec]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[row.id for row in rows])


def doubled(values: list[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def key_variables(row: ProviderSpec) -> list[str]:
    return [*(f"{prefix}_API_KEY" for prefix in row.prefixes), *row.key_variables]


def test_no_name_means_two_providers() -> None:
    assert doubled([name for row in CATALOG for name in (row.id, *row.aliases)]) == []
    assert doubled([prefix for row in CATALOG for prefix in row.prefixes]) == []
    assert doubled([variable for row in CATALOG for variable in key_variables(row)]) == []


def test_names_that_mean_something_else_are_no_keys_of_ours() -> None:
    taken = {"ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GITHUB_TOKEN", "GITHUB_API_KEY", "METRICS_TOKEN"}
    assert taken.isdisjoint(variable for row in CATALOG for variable in key_variables(row))


def test_names_lead_to_ids() -> None:
    assert set(names(CATALOG).values()) == set(ROWS)


def test_every_provider_of_the_contract_is_here_or_known_to_come() -> None:
    promised = (
        "nvidia_nim open_router deepseek lmstudio llamacpp ollama friendliai fireworks vllm cliproxyapi groq cerebras "
        "together kimi openai azure gemini vertex xai anthropic mistral zai qwen minimax sambanova huggingface github "
        "bedrock demo"
    )
    assert set(promised.split()) == set(ROWS)


@pytest.mark.parametrize(
    ("alias", "row"),
    [
        ("nim", "nvidia_nim"),
        ("nvidia", "nvidia_nim"),
        ("openrouter", "open_router"),
        ("lm_studio", "lmstudio"),
        ("lm-studio", "lmstudio"),
        ("llama.cpp", "llamacpp"),
        ("friendli", "friendliai"),
        ("moonshot", "kimi"),
        ("google", "gemini"),
        ("dashscope", "qwen"),
        ("azure_openai", "azure"),
    ],
)
def test_aliases(alias: str, row: str) -> None:
    assert names(CATALOG)[alias] == row


@pytest.mark.parametrize(
    ("spelt", "row"),
    [
        ("anthropic", "anthropic"),
        ("azure", "azure"),
        ("azure_ai", "azure"),
        ("bedrock", "bedrock"),
        ("bedrock_converse", "bedrock"),
        ("cerebras", "cerebras"),
        ("dashscope", "qwen"),
        ("deepseek", "deepseek"),
        ("fireworks_ai", "fireworks"),
        ("friendliai", "friendliai"),
        ("gemini", "gemini"),
        ("github", "github"),
        ("groq", "groq"),
        ("hosted_vllm", "vllm"),
        ("huggingface", "huggingface"),
        ("lm_studio", "lmstudio"),
        ("minimax", "minimax"),
        ("mistral", "mistral"),
        ("moonshot", "kimi"),
        ("nvidia_nim", "nvidia_nim"),
        ("ollama", "ollama"),
        ("ollama_chat", "ollama"),
        ("openai", "openai"),
        ("openrouter", "open_router"),
        ("sambanova", "sambanova"),
        ("together_ai", "together"),
        ("vertex_ai", "vertex"),
        ("vertex_ai_beta", "vertex"),
        ("vllm", "vllm"),
        ("xai", "xai"),
        ("zai", "zai"),
    ],
)
def test_litellms_names_of_the_same_providers(spelt: str, row: str) -> None:
    """litellm 1.109.1, LlmProviders, and the names of docs.litellm.ai (read 2026-11)."""
    assert names(CATALOG)[spelt] == row


@pytest.mark.parametrize(
    ("row", "prefixes", "further"),
    [
        ("nvidia_nim", ("NVIDIA_NIM",), ()),
        ("open_router", ("OPENROUTER",), ()),
        ("deepseek", ("DEEPSEEK",), ()),
        ("lmstudio", ("LM_STUDIO", "LMSTUDIO"), ()),
        ("llamacpp", ("LLAMACPP",), ()),
        ("ollama", ("OLLAMA",), ()),
        ("friendliai", ("FRIENDLIAI",), ()),
        ("fireworks", ("FIREWORKS",), ()),
        ("vllm", ("VLLM",), ()),
        ("cliproxyapi", ("CLIPROXYAPI",), ()),
        ("groq", ("GROQ",), ()),
        ("cerebras", ("CEREBRAS",), ()),
        ("together", ("TOGETHER",), ()),
        ("kimi", ("KIMI",), ("MOONSHOT_API_KEY",)),
        ("openai", ("OPENAI",), ()),
        ("gemini", ("GEMINI",), ("GOOGLE_API_KEY",)),
        ("xai", ("XAI",), ()),
        ("anthropic", ("ANTHROPIC_UPSTREAM",), ()),
        ("mistral", ("MISTRAL",), ()),
        ("zai", ("ZAI",), ()),
        ("qwen", ("QWEN", "DASHSCOPE"), ()),
        ("minimax", ("MINIMAX",), ()),
        ("sambanova", ("SAMBANOVA",), ()),
        ("huggingface", ("HUGGINGFACE",), ("HF_TOKEN",)),
        ("github", ("GITHUB_MODELS",), ()),
        ("vertex", ("VERTEX",), ()),
        ("bedrock", ("BEDROCK",), ("AWS_BEARER_TOKEN_BEDROCK",)),
        ("azure", ("AZURE",), ("AZURE_OPENAI_API_KEY", "ANTHROPIC_FOUNDRY_API_KEY")),
        ("demo", ("DEMO",), ()),
    ],
)
def test_the_variables_are_spelt_as_earlier_systems_spelt_them(
    row: str, prefixes: tuple[str, ...], further: tuple[str, ...]
) -> None:
    assert (ROWS[row].prefixes, ROWS[row].key_variables) == (prefixes, further)


@pytest.mark.parametrize(
    ("row", "url", "auth"),
    [
        ("nvidia_nim", "https://integrate.api.nvidia.com/v1/chat/completions", Auth.BEARER),
        ("open_router", "https://openrouter.ai/api/v1/messages", Auth.BEARER),
        ("deepseek", "https://api.deepseek.com/anthropic/v1/messages", Auth.X_API_KEY),
        ("lmstudio", "http://127.0.0.1:1234/v1/messages", Auth.BEARER),
        ("llamacpp", "http://127.0.0.1:8080/v1/messages", Auth.BEARER),
        ("ollama", "http://127.0.0.1:11434/v1/messages", Auth.BEARER),
        ("friendliai", "https://api.friendli.ai/serverless/v1/messages", Auth.BEARER),
        ("fireworks", "https://api.fireworks.ai/inference/v1/messages", Auth.X_API_KEY),
        ("vllm", "http://127.0.0.1:8000/v1/messages", Auth.BEARER),
        ("cliproxyapi", "http://127.0.0.1:8317/v1/messages", Auth.X_API_KEY),
        ("groq", "https://api.groq.com/openai/v1/chat/completions", Auth.BEARER),
        ("cerebras", "https://api.cerebras.ai/v1/chat/completions", Auth.BEARER),
        ("together", "https://api.together.xyz/v1/chat/completions", Auth.BEARER),
        ("kimi", "https://api.moonshot.ai/v1/chat/completions", Auth.BEARER),
        ("zai", "https://api.z.ai/api/anthropic/v1/messages", Auth.BEARER),
        ("qwen", "https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages", Auth.BEARER),
        ("minimax", "https://api.minimax.io/anthropic/v1/messages", Auth.BEARER),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", Auth.BEARER),
        ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com/anthropic/v1/messages", Auth.BEARER),
        ("azure", "https://RESOURCE.openai.azure.com/openai/v1/chat/completions", Auth.API_KEY),
    ],
)
def test_where_requests_go_and_how_the_key_is_sent(row: str, url: str, auth: Auth) -> None:
    """The first fourteen are claude-code-proxy's providers, asked as it asks them (DeepSeek where its docs have it)."""
    spec = ROWS[row]
    asked = (
        chat_url(spec.base_url) if spec.dialect == "openai_chat" else requests.url(spec.base_url, Operation.MESSAGES)
    )
    assert (asked, spec.auth) == (url, auth)


@pytest.mark.parametrize(
    ("row", "url"),
    [
        ("anthropic", "https://api.anthropic.com/v1/models"),
        ("open_router", "https://openrouter.ai/api/v1/models"),
        ("deepseek", "https://api.deepseek.com/models"),
        ("ollama", "http://127.0.0.1:11434/v1/models"),
        ("lmstudio", "http://127.0.0.1:1234/v1/models"),
        ("nvidia_nim", "https://integrate.api.nvidia.com/v1/models"),
        ("zai", "https://api.z.ai/api/paas/v4/models"),
        ("qwen", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/models"),
        ("minimax", "https://api.minimax.io/v1/models"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai/models"),
        ("github", "https://models.github.ai/catalog/models"),
        ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1/models"),
        ("azure", "https://RESOURCE.openai.azure.com/openai/v1/models"),
    ],
)
def test_where_models_are_listed(row: str, url: str) -> None:
    assert ROWS[row].models_url() == url


def test_the_list_of_models_moves_with_the_base_url() -> None:
    assert ROWS["deepseek"].models_url("http://127.0.0.1:9/anthropic/") == "http://127.0.0.1:9/models"
    assert ROWS["groq"].models_url("https://llm.example.com/v1") == "https://llm.example.com/v1/models"
    for row in NETWORKED:
        assert urlsplit(row.models_url("http://127.0.0.1:9")).netloc == "127.0.0.1:9"


@each(list(CATALOG))
def test_names_can_be_written_in_a_token_and_in_a_variable(row: ProviderSpec) -> None:
    for name in (row.id, *row.aliases):
        assert name == name.lower()
        assert not set(name) & set("/: @")
    for prefix in row.prefixes:
        assert prefix.replace("_", "").isalnum()
        assert prefix == prefix.upper()
    assert row.prefixes
    assert row.title


@each(NETWORKED)
def test_every_face_has_a_dialect_and_an_address(row: ProviderSpec) -> None:
    shown = [row, *(row.with_face(face) for face in row.faces)]
    assert doubled([spoken.dialect for spoken in shown]) == []
    for spoken in shown:
        base = urlsplit(spoken.base_url)
        assert spoken.dialect in discover()
        assert (base.scheme, base.hostname) == ("http", "127.0.0.1") if row.local else base.scheme == "https"
        assert base.hostname
        assert (base.query, base.fragment, base.username) == ("", "", None)
        assert not spoken.base_url.endswith("/")
        if spoken.dialect == "openai_chat":
            assert base.path  # a bare host would mean another one, with /v1
        assert all(part.text in spoken.base_url for part in spoken.parts)
        assert urlsplit(spoken.models_url()).hostname == base.hostname


@each(NETWORKED)
def test_what_one_face_alone_serves_is_asked_there(row: ProviderSpec) -> None:
    for face in row.faces:
        paths = face.quirks.paths if face.quirks else None
        assert paths is None or face.dialect == "anthropic"
        assert all("{model}" in path for path in (paths.whole, paths.stream)) if paths else True
        assert not any(row.default_model.startswith(beginning) for beginning in face.serves)


@each(NETWORKED)
def test_parts_of_addresses_are_where_they_are_said_to_be(row: ProviderSpec) -> None:
    assert all(part.text in row.base_url and part.variables for part in row.parts)
    assert not row.falls_back or row.falls_back in [face.dialect for face in row.faces]


@each(HOSTED)
def test_a_hosted_row_says_where_to_get_a_key(row: ProviderSpec) -> None:
    assert row.key_url.startswith("https://")
    assert row.auth is not Auth.NONE
    assert row.needs_key
    assert not ProviderConfig(row, row.base_url).usable
    assert row.key_variable == f"{row.prefixes[0]}_API_KEY"


@each(list(CATALOG))
def test_every_row_names_a_model(row: ProviderSpec) -> None:
    served = [row.default_model, *row.examples]
    assert all(model and model == model.strip() for model in served)
    assert doubled(served) == []


@each(list(CATALOG))
def test_what_is_retired_is_not_offered_and_leads_to_what_is_not_retired(row: ProviderSpec) -> None:
    retired = dict(row.retired)
    assert len(retired) == len(row.retired)
    assert retired.keys().isdisjoint([row.default_model, *row.examples, *retired.values()])


@each(NETWORKED)
def test_facts_have_their_month(row: ProviderSpec) -> None:
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", row.as_of)
    assert not row.pooling or re.search(r"\([\w./, -]+, read 20\d\d-\d\d\)$", row.pooling)


@each(list(CATALOG))
def test_a_vendor_is_no_other_name_of_the_row_that_has_it(row: ProviderSpec) -> None:
    """``nvidia`` is both for NVIDIA NIM, and a vendor goes first: nvidia/nemotron is one model name there."""
    assert doubled(list(row.namespaces)) == []
    assert set(row.namespaces) & {row.id, *row.aliases} <= {"nvidia"}


@each(NETWORKED)
def test_efforts_rise(row: ProviderSpec) -> None:
    for quirks in (row.quirks, *(own for _, own in row.quirks.models)):
        ranks = [EFFORTS.index(effort) for effort in quirks.efforts]
        assert ranks == sorted(set(ranks))


@pytest.mark.parametrize(
    ("row", "reset"),
    [
        ("gemini", Calendar.PACIFIC_DAY),
        ("zai", Calendar.CHINA_DAY),
        ("open_router", Calendar.UTC_DAY),
        ("huggingface", Calendar.UTC_MONTH),
        ("openai", None),
    ],
)
def test_when_quotas_begin_again(row: str, reset: Calendar | None) -> None:
    assert ROWS[row].reset is reset


def test_nvidias_limits_are_those_of_its_free_keys() -> None:
    row = ROWS["nvidia_nim"]
    assert (row.rate, row.window, row.concurrency) == (40, 60.0, 5)
    assert [each.id for each in CATALOG if each.rate] == ["nvidia_nim"]


def test_local_rows_need_no_key() -> None:
    local = [row for row in CATALOG if row.local]
    assert [row.id for row in local] == ["demo", "ollama", "lmstudio", "llamacpp", "vllm", "cliproxyapi"]
    assert all(ProviderConfig(row, row.base_url).usable for row in local)


def test_base_urls_are_told_apart() -> None:
    assert doubled([row.base_url for row in CATALOG]) == []


def test_calls_in_text_are_looked_for_where_models_have_open_weights() -> None:
    closed = {"demo", "anthropic", "cliproxyapi", "openai", "azure", "gemini", "vertex", "xai", "github", "bedrock"}
    assert {row.id for row in CATALOG if not row.quirks.guarded_calls} == closed
    for row in CATALOG:
        for names_of_models, own in row.quirks.models:
            open_weights = row.id not in closed and not set(names_of_models) & set(CLOSED)
            assert own.guarded_calls is open_weights, (row.id, names_of_models)


@pytest.mark.parametrize(
    ("model", "guarded"),
    [
        ("anthropic/claude-sonnet-5", False),
        ("openai/gpt-5.6", False),
        ("openai/gpt-oss-120b", True),
        ("google/gemini-3.8-flash", False),
        ("google/gemma-3-27b-it:free", True),
        ("qwen/qwen3-coder:free", True),
    ],
)
def test_openrouter_serves_both(model: str, guarded: bool) -> None:
    of_model = ROWS["open_router"].quirks.of(model)
    assert of_model.guarded_calls is guarded
    assert of_model.cache_marks is model.startswith("anthropic/")
    assert of_model.effort_field == ROWS["open_router"].quirks.effort_field
