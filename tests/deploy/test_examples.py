"""deploy/examples: each is read without a problem, and fits the schema that editors get."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.cli.check import report, schema_text
from gateway.settings import Settings, load
from gateway.settings.toml_schema import schema
from tests.gateway.ferryllm import ALIAS, EXAMPLE

FOLDER = Path(__file__).resolve().parents[2] / "deploy/examples"
FILES = sorted(FOLDER.glob("*.toml"))
SECRETS = {
    "OPENROUTER_API_KEY": "sk-or-0123456789",
    "GROQ_API_KEY": "gsk-0123456789",
    "CODX_API_KEY": "sk-0123456789",
    "ALICE_TOKEN": "kt-alice-0123456789",
    "BUILD_TOKEN": "kt-build-0123456789",
    "ANTHROPIC_KEY_WORK": "sk-ant-work",
    "ANTHROPIC_KEY_SPARE": "sk-ant-spare",
}


def loaded(path: Path, tmp_path: Path) -> Settings:
    """With what its secrets would be, in files of the test's."""
    text = path.read_text(encoding="utf-8")
    for name in ("keyturn-token", "inference-key", "cloud-key"):
        (tmp_path / name).write_text(f"secret-{name}-0123456789")
    (tmp_path / "keyturn.toml").write_text(text.replace("/run/secrets/", f"{tmp_path}/"), encoding="utf-8")
    return load(SECRETS, tmp_path, tmp_path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_is_a_good_configuration(path: Path, tmp_path: Path) -> None:
    settings = loaded(path, tmp_path)
    assert settings.warnings == ()
    assert report(settings).startswith("valid ")
    named = {settings.routing.default.provider, *(route.provider for route in settings.routing.routes)}
    assert named <= settings.routing.usable


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_fits_the_schema(path: Path) -> None:
    jsonschema.validate(tomllib.loads(path.read_text(encoding="utf-8")), schema())


def test_there_is_one_for_each_kind_of_user() -> None:
    assert [path.stem for path in FILES] == ["codexapis", "platform", "solo", "team"]


def test_ferryllms_is_its_own_text() -> None:
    text = (FOLDER / "codexapis.toml").read_text(encoding="utf-8")
    assert text.endswith(EXAMPLE + ALIAS)


def test_the_schema_is_a_schema_and_is_published() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    published = Path(__file__).resolve().parents[2] / "docs/keyturn.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text() + "\n", (
        "keyturn check --schema > docs/keyturn.schema.json"
    )


FULL = """
"$schema" = "./keyturn.schema.json"
log_level = "DEBUG"
metrics_token = "kt-metrics-0123456789"
model = "mine/a"
model_haiku = "mine/small"
model_fallbacks = ["groq/b"]
http_read_timeout = "off"
provider_max_retries = 3
[[providers]]
name = "mine"
type = "openai"
base_url = "https://llm.example.com/v1"
read_timeout = 30
max_retries = 1
retry_base_delay = 0.5
key_order = "weighted"
headers = { x-team = "blue" }
extra_body = { top_k = 20 }
[[providers.keys]]
label = "work"
api_key = "k1"
weight = 2
account = "acme"
requests_per_minute = 60
tokens_per_minute = 9000
max_concurrency = 4
[[providers.keys]]
api_key = "k2"
[[providers.models]]
name = "a"
max_concurrency = 2
[[providers]]
name = "groq"
api_keys = ["g1", "g2"]
[[routes]]
match = "claude-*-4-?"
match_type = "glob"
provider = "mine"
rewrite_model = "four"
tokens = ["ada"]
fallbacks = ["groq/c"]
fallback_providers = ["groq"]
[[tokens]]
name = "ada"
token = "kt-ada-0123456789"
"""


def test_a_file_of_every_kind_of_table_is_read_and_fits_the_schema(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text(FULL)
    (tmp_path / "keyturn.toml").chmod(0o600)
    settings = load({}, tmp_path, tmp_path)
    assert settings.warnings == ()
    jsonschema.validate(tomllib.loads(FULL), schema())
    [mine] = [each for each in settings.providers if each.id == "mine"]
    assert [(key.label, key.weight, key.account) for key in mine.keys] == [("work", 2, "acme"), ("", 1, "")]
    assert (mine.timeouts.read, mine.retries.most, mine.retries.base_delay) == (30, 1, 0.5)
    [rule] = settings.routing.routes
    assert (rule.glob, sorted(rule.clients)) == (True, ["ada"])
    assert [str(ref) for ref in rule.fallbacks] == ["groq/c", "groq/four"]


@pytest.mark.parametrize(
    "bad",
    [
        {"modle": "x"},
        {"providers": [{"type": "openai"}]},
        {"providers": [{"name": "x", "type": "opnai"}]},
        {"providers": [{"name": "x", "base_ulr": "https://x"}]},
        {"routes": [{"match": "x"}]},
        {"routes": [{"match": "x", "provider": "y", "match_type": "regex"}]},
        {"tokens": [{"token": "x"}]},
        {"server": {"lisen": "x"}},
        {"server": {"reasoning_policy": "always"}},
        {"providers": {"name": "x"}},
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(bad: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(bad, schema())


def test_an_editors_hint_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / "keyturn.toml").write_text('"$schema" = "./keyturn.schema.json"\nmodel = "demo/demo"\n')
    assert load({}, tmp_path, tmp_path).warnings == ()
