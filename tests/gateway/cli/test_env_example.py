"""The shipped .env.example."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from gateway.cli.env_example import SECTIONS, text
from gateway.settings.row_settings import RowSettings
from gateway.settings.variables import Globals
from providers.catalog import CATALOG
from tests.gateway.place import Place
from tests.gateway_process import ROOT

VARIABLE = re.compile(r"^#([A-Z][A-Z0-9_]*=.*)$", re.MULTILINE)


def test_the_shipped_file_is_what_the_generator_prints() -> None:
    shipped = (ROOT / ".env.example").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "gateway.cli.env_example"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60).stdout
    assert shipped == printed, "run: python -m gateway.cli.env_example > .env.example"


def test_every_global_is_in_one_section() -> None:
    listed = [name for names in SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(Globals.model_fields)


def test_every_provider_has_its_lines_and_its_facts() -> None:
    for spec in CATALOG[1:]:
        assert f"\n#{spec.key_variable}=<your key>\n" in text()
        url = "" if spec.placeless else spec.base_url
        assert f"\n#{spec.prefixes[0]}_BASE_URL={url}\n" in text()
        assert not spec.placeless or f"_BASE_URL={spec.base_url}, or one of these:\n" in text()
        assert spec.key_url in text()
        assert spec.pooling in text()


def test_what_else_says_where_a_provider_is_has_its_line() -> None:
    for name in ("AZURE_OPENAI_ENDPOINT=", "ANTHROPIC_FOUNDRY_RESOURCE=", "AZURE_API_VERSION=", "AWS_REGION=us-east-1"):
        assert f"\n#{name}\n" in text()


def test_the_legend_names_every_setting_of_a_provider() -> None:
    for name, field in RowSettings.model_fields.items():
        assert f"\n#   _{name.upper()}: {field.description}\n" in text()


def test_as_it_is_it_sets_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(".env", text())
    assert place.load().providers == Place(place.home).load().providers


def test_with_every_line_in_use_there_are_only_warnings(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.write(".env", VARIABLE.sub(r"\1", text()))
    settings = place.load()
    placeholders = re.findall(r"^#([A-Z_]+)=<", text(), re.MULTILINE)
    assert sorted(warning.split(" ")[0] for warning in settings.warnings) == sorted(placeholders)
    assert not any(each.keys for each in settings.providers)
    untouched = Place(place.home).load()
    for used, unused in zip(settings.providers, untouched.providers, strict=True):
        assert (used.base_url, used.timeouts, used.proxy) == (unused.base_url, unused.timeouts, unused.proxy)
        assert (used.traffic, used.retries, used.rotation) == (unused.traffic, unused.retries, unused.rotation)
        assert used.stream_floor == unused.stream_floor
    for name in ("host", "port", "body_limit", "request_deadline", "keepalive_after", "admin_token"):
        assert getattr(settings, name) == getattr(untouched, name)


def test_every_variable_has_a_comment_above_it_or_in_the_legend() -> None:
    written = text().splitlines()
    for number, line in enumerate(written):
        name = line[1:].partition("=")[0]
        if VARIABLE.match(line) and name.lower() in Globals.model_fields:
            assert written[number - 1] == f"# {Globals.model_fields[name.lower()].description}"
