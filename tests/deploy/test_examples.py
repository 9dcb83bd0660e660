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


def test_the_schema_is_a_schema_and_is_what_check_prints() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert '"title": "keyturn.toml"' in schema_text()


@pytest.mark.parametrize(
    "bad",
    [
        {"modle": "x"},
        {"providers": [{"type": "openai"}]},
        {"providers": [{"name": "x", "type": "opnai"}]},
        {"providers": [{"name": "x", "base_ulr": "https://x"}]},
        {"routes": [{"match": "x"}]},
        {"routes": [{"match": "x", "provider": "y", "match_type": "glob"}]},
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
