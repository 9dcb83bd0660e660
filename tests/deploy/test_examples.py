"""deploy/examples: each is read without a problem, and fits the schema that editors get."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway.cli.check import report, schema_text
from gateway.settings import Settings, load
from gateway.settings.key_watch import KNOWN as KEY_WATCH
from gateway.settings.toml_file import ROUTE
from gateway.settings.toml_keys import LIMITS
from gateway.settings.toml_keys import SOURCES as KEY_SOURCES
from gateway.settings.toml_providers import SOURCES
from gateway.settings.toml_schema import schema
from gateway.settings.toml_tokens import SOURCES as TOKEN_SOURCES
from tests.gateway.ferryllm import ALIAS, EXAMPLE

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/examples"
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
    published = ROOT / "docs/keyturn.schema.json"
    assert published.read_text(encoding="utf-8") == schema_text() + "\n", (
        "keyturn check --schema > docs/keyturn.schema.json"
    )


[FULL] = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/keyturn-toml.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_papers_file_of_every_kind_of_table_is_read_and_fits_the_schema(tmp_path: Path) -> None:
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


def test_the_papers_name_every_key_of_a_table() -> None:
    page = (ROOT / "docs/keyturn-toml.md").read_text(encoding="utf-8")
    named = {word for code in re.findall(r"`([^`\n]+)`", page) for word in re.findall(r"\w+", code)}
    named |= set(re.findall(r"^(\w+) = ", FULL, re.MULTILINE))
    for keys in (KEY_SOURCES, LIMITS, SOURCES, TOKEN_SOURCES, KEY_WATCH, ROUTE, ("label", "weight", "account")):
        assert set(keys) <= named
