"""Addresses by which a cloud is known, and the URLs that calls go to."""

from __future__ import annotations

import pytest

from providers.addresses import Site, endpoint
from providers.catalog import CATALOG

[AZURE] = [row.site for row in CATALOG if row.site]
OURS = "https://mine.openai.azure.com"
FOUNDRY = "https://mine.services.ai.azure.com"
DEPLOYED = f"{OURS}/openai/deployments/gpt"


@pytest.fixture
def site() -> Site:
    return AZURE


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        (OURS, True),
        ("https://MINE.OpenAI.Azure.Com/openai/v1", True),
        (f"{FOUNDRY}/anthropic", True),
        ("https://mine.cognitiveservices.azure.com/openai/v1", True),
        ("http://127.0.0.1:9/openai/deployments/gpt", True),
        ("https://gate.example.com/openai/deployments", True),
        ("https://api.openai.com/v1", False),
        ("https://openai.azure.com.example.com/v1", False),
        ("https://notopenai.azure.com/v1", False),
        ("https://gate.example.com/openai/v1", False),
        ("https://gate.example.com/openai/deploymentsx", False),
        ("", False),
    ],
)
def test_which_addresses_are_azures(site: Site, url: str, ours: bool) -> None:
    assert site.has(url) is ours


@pytest.mark.parametrize(
    ("url", "dialect", "version", "base", "query"),
    [
        # a bare host: the API without versions, unless an operator names a date
        (OURS, "openai_chat", "", f"{OURS}/openai/v1", ""),
        (f"{OURS}/openai", "openai_chat", "", f"{OURS}/openai/v1", ""),
        (OURS, "openai_responses", "", f"{OURS}/openai/v1", ""),
        (FOUNDRY, "anthropic", "", f"{FOUNDRY}/anthropic", ""),
        (OURS, "openai_chat", "2024-06-01", f"{OURS}/openai/deployments/{{model}}", "?api-version=2024-06-01"),
        (OURS, "openai_chat", "preview", f"{OURS}/openai/v1", "?api-version=preview"),
        (OURS, "openai_responses", "2024-06-01", f"{OURS}/openai/v1", ""),
        (FOUNDRY, "anthropic", "2024-06-01", f"{FOUNDRY}/anthropic", ""),
        # a deployment's own
        (DEPLOYED, "openai_chat", "", DEPLOYED, "?api-version=2024-10-21"),
        (DEPLOYED, "openai_chat", "2025-04-01-preview", DEPLOYED, "?api-version=2025-04-01-preview"),
        (
            f"{OURS}/openai/deployments",
            "openai_chat",
            "",
            f"{OURS}/openai/deployments/{{model}}",
            "?api-version=2024-10-21",
        ),
        # everything else as it was written
        (f"{OURS}/openai/v1", "openai_chat", "", f"{OURS}/openai/v1", ""),
        (f"{OURS}/openai/v1", "openai_chat", "2024-06-01", f"{OURS}/openai/v1", ""),
        (f"{OURS}/openai/v1", "openai_chat", "preview", f"{OURS}/openai/v1", "?api-version=preview"),
        (f"{FOUNDRY}/anthropic", "anthropic", "", f"{FOUNDRY}/anthropic", ""),
        ("http://127.0.0.1:9/base", "openai_chat", "", "http://127.0.0.1:9/base", ""),
    ],
)
def test_how_an_address_is_asked(site: Site, url: str, dialect: str, version: str, base: str, query: str) -> None:
    assert site.place(url, dialect, version) == (base, query)


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        (f"{FOUNDRY}/anthropic", "anthropic"),
        (f"{FOUNDRY}/anthropic/", "anthropic"),
        (f"{OURS}/openai/v1", ""),
        (OURS, ""),
        ("https://[", ""),
        ("nonsense", ""),
    ],
)
def test_a_path_may_say_the_dialect(site: Site, url: str, dialect: str) -> None:
    assert site.dialect(url) == dialect


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://a.test", "https://a.test/v1/chat/completions"),
        ("https://a.test/", "https://a.test/v1/chat/completions"),
        ("https://a.test/v1/", "https://a.test/v1/chat/completions"),
        ("https://a.test/d/{model}", "https://a.test/d/our%20model%2F1/chat/completions"),
        ("https://a.test/d/{other}", "https://a.test/d/{other}/chat/completions"),
    ],
)
def test_the_url_of_a_call(base: str, url: str) -> None:
    assert endpoint(base, "/chat/completions", "our model/1") == url
    assert endpoint(base, "/chat/completions", "our model/1", "?api-version=1") == f"{url}?api-version=1"
