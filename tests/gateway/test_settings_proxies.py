"""The standard proxy variables hold for hosted providers, and for nothing on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import load
from providers.spec import ProviderConfig

KEYS = {"ANTHROPIC_UPSTREAM_API_KEY": "sk-ant-0123456789", "OLLAMA_BASE_URL": "http://127.0.0.1:11434"}


def providers(tmp_path: Path, **environ: str) -> dict[str, ProviderConfig]:
    settings = load({**KEYS, **environ}, tmp_path, tmp_path)
    return {provider.id: provider for provider in settings.providers}


def proxy(provider: ProviderConfig) -> str | None:
    return provider.proxy.reveal() if provider.proxy else None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://high:1"}, "http://low:1"),
        ({"ALL_PROXY": "socks5://proxy:1080"}, "socks5://proxy:1080"),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "other.org, .anthropic.com"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "other.org"}, "http://proxy:3128"),
        ({"HTTPS_PROXY": "  "}, None),
        ({"HTTPS_PROXY": "http://a:1", "ANTHROPIC_UPSTREAM_PROXY": "http://b:2"}, "http://b:2"),
    ],
)
def test_a_hosted_provider_is_reached_through_the_standard_proxy(
    environ: dict[str, str], expected: str | None, tmp_path: Path
) -> None:
    assert proxy(providers(tmp_path, **environ)["anthropic"]) == expected


def test_loopback_is_never_reached_through_a_proxy(tmp_path: Path) -> None:
    found = providers(tmp_path, ALL_PROXY="http://proxy:1", OPENAI_BASE_URL="http://localhost:9/v1")
    assert [proxy(found[name]) for name in ("ollama", "openai")] == [None, None]


def test_a_proxy_that_is_none_is_warned_of_once_without_its_password(tmp_path: Path) -> None:
    settings = load({**KEYS, "HTTPS_PROXY": "ftp://user:hunter2hunter2@proxy"}, tmp_path, tmp_path)
    about = [warning for warning in settings.warnings if "HTTPS_PROXY" in warning]
    assert len(about) == 1
    assert "http://127.0.0.1:3128" in about[0]
    assert "hunter2" not in about[0]
