"""The shipped docs/configuration.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.configuration_page import text
from gateway.cli.configuration_words import OUTSIDE, TABLES
from gateway.settings.misspelt import OTHERS
from gateway.settings.row_settings import RowSettings, takes_settings, variables
from gateway.settings.variables import Globals
from providers.catalog import CATALOG
from providers.errors import ConfigError
from tests.gateway.place import Place
from tests.gateway_process import ROOT

PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
UNKNOWN = "qqqq = 1"
# For each table one with a key that nobody knows, which is answered with those that are known.
ASKING = {
    "providers": f'[[providers]]\nname = "groq"\n{UNKNOWN}',
    "providers.keys": f'[[providers]]\nname = "groq"\n[[providers.keys]]\n{UNKNOWN}',
    "providers.models": f'[[providers]]\nname = "groq"\n[[providers.models]]\n{UNKNOWN}',
    "routes": f"[[routes]]\n{UNKNOWN}",
    "tokens": f"[[tokens]]\n{UNKNOWN}",
}


def known(place: Place, toml: str) -> set[str]:
    with pytest.raises(ConfigError) as caught:
        place.toml(toml, {"GROQ_API_KEY": "gsk-1"})
    (found,) = re.findall(r"Known keys: ([^.]+)\.", str(caught.value.problems))
    return set(found.split(", "))


def test_the_shipped_file_is_what_the_generator_prints() -> None:
    command = [sys.executable, "-m", "gateway.cli.configuration_page"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60).stdout
    assert printed == PAGE, "run: python -m gateway.cli.configuration_page > docs/configuration.md"


@pytest.mark.parametrize("table", ASKING)
def test_every_key_of_a_table_is_told(tmp_path: Path, table: str) -> None:
    told = {entry.key for entry in TABLES[table]}
    told |= set(RowSettings.model_fields) if table == "providers" else set()
    assert told == known(Place(tmp_path), ASKING[table])


def test_the_top_level_has_these_tables_and_the_globals(tmp_path: Path) -> None:
    tables = {name for name in TABLES if "." not in name}
    assert known(Place(tmp_path), UNKNOWN) == tables | set(Globals.model_fields)


def test_every_variable_is_told() -> None:
    names = [name.upper() for name in Globals.model_fields] + [f"_{name.upper()}" for name in RowSettings.model_fields]
    assert [name for name in names if len(re.findall(rf"^\| `{name}` \|", PAGE, re.MULTILINE)) != 1] == []
    rows = [row for row in CATALOG if takes_settings(row)]
    assert [name for row in rows for name in variables(row, "X") if f"`{name.removesuffix('_X')}`" not in PAGE] == []
    assert [name for row in rows for name in row.key_variables if f"`{name}`" not in PAGE] == []


def test_what_the_settings_read_by_name_is_told() -> None:
    """Names of variables that stand in the code as they are."""
    sources = "".join(path.read_text() for path in (ROOT / "gateway/settings").glob("*.py"))
    names = set(re.findall(r"\"([A-Z][A-Z0-9]*_[A-Z0-9_]+)\"", sources)) - {"API_KEY", "API_KEYS", "API_VERSION"}
    names -= OTHERS  # of other programs
    whole = PAGE.replace("RELATIVE_URI and _FULL_URI", "RELATIVE_URI and AWS_CONTAINER_CREDENTIALS_FULL_URI")
    assert {"FCC_ENV_FILE", "AWS_PROFILE", "CLAUDE_PICK_PORT"} <= names
    assert sorted(name for name in names if name not in whole and not name.endswith(("BASE_URL", "_API_KEY"))) == []
    assert set(OUTSIDE) & {name.upper() for name in Globals.model_fields} == set()


def test_numbers_have_their_unit_and_rows_their_columns() -> None:
    assert "| `HTTP_READ_TIMEOUT` | `http_read_timeout` | number, or off to wait for ever | seconds | `180` |" in PAGE
    assert "| `BODY_LIMIT_MB` | `body_limit_mb` | number above 0 | MB | `32` |" in PAGE
    for section in text().split("\n## ")[1:]:
        bars = {line.replace("\\|", "").count("|") for line in section.splitlines() if line.startswith("|")}
        assert len(bars) <= 1
