"""The shipped docs/providers.md."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

from gateway.cli.providers_table import BEGINS, SENT_AS, text
from providers.addresses import Part, Site
from providers.catalog import CATALOG
from providers.errors import Calendar
from providers.spec import Auth, Face, ProviderSpec
from tests.gateway_process import ROOT

ROW = ProviderSpec(
    id="acme",
    title="Acme | Sons",
    prefixes=("ACME", "AC"),
    dialect="openai_chat",
    base_url="https://api.acme.test/v1",
    auth=Auth.API_KEY,
    aliases=("ac",),
    key_variables=("ACME_TOKEN",),
    key_url="https://acme.test/keys",
    default_model="acme-1",
    rate=20,
    window=1.5,
    concurrency=3,
    pooling="one each (acme.test, read 2026-11)",
    faces=(Face("anthropic", "https://api.acme.test/anthropic"), Face("gemini", "https://g.acme.test", Auth.API_KEY)),
    reset=Calendar.CHINA_DAY,
    examples=("acme-2", "acme-3"),
    retired=(("acme-0", "acme-1"),),
    as_of="2026-11",
    note="Handle with care.",
)


def lines(*rows: ProviderSpec) -> list[str]:
    return [line for line in text(rows).splitlines() if line.startswith("| `")]


def test_the_shipped_file_is_what_the_generator_prints() -> None:
    shipped = (ROOT / "docs/providers.md").read_text(encoding="utf-8")
    command = [sys.executable, "-m", "gateway.cli.providers_table"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True, timeout=60).stdout
    assert shipped == printed, "run: python -m gateway.cli.providers_table > docs/providers.md"


def test_every_fact_of_a_row_has_its_place() -> None:
    assert lines(ROW) == [
        "| `acme` | Acme \\| Sons | `ac` | `ACME_API_KEY`, `AC_API_KEY`, `ACME_TOKEN` | <https://acme.test/keys> |",
        "| `acme` | `openai_chat` | `https://api.acme.test/v1` | `api-key` | `anthropic` at "
        "`https://api.acme.test/anthropic`, `Authorization: Bearer`; `gemini` at `https://g.acme.test` |",
        "| `acme` | 20 in 1.5 s | 3 | midnight in China (UTC+8) | one each (acme.test, read 2026-11) |",
        "| `acme` | `acme-1` | `acme-2`, `acme-3` | 2026-11 |",
        "| `acme` | `acme-0` | `acme-1` |",
        "| `acme` | Handle with care. |",
    ]


def test_a_cloud_has_its_parts_and_its_addresses() -> None:
    part = Part("NAME", ("ACME_NAME", "AC_NAME"), needed=True)
    face = Face("anthropic", "https://NAME.acme.test", Auth.API_KEY, base_variables=("ACME_CLAUDE_URL",), parts=(part,))
    site = Site((".acme.test", ".acme.example"), "", "/dated/", "2024-10-21", ())
    row = replace(ROW, faces=(face,), falls_back="anthropic", parts=(Part("eu", ("AC_REGION",)),), site=site)
    assert lines(row)[1].endswith("| `anthropic` at `https://NAME.acme.test`, from the first 404 on |")
    assert lines(row)[2:6] == [
        "| `acme` | `eu` (`openai_chat`) | `AC_REGION` |",
        "| `acme` | the base URL (`anthropic`) | `ACME_CLAUDE_URL` |",
        "| `acme` | `NAME` (`anthropic`) | `ACME_NAME`, `AC_NAME` |",
        "| `acme` | `*.acme.test`, `*.acme.example` | `/dated/` | `2024-10-21` |",
    ]


def test_every_face_of_every_row_is_listed() -> None:
    for row in CATALOG[1:]:
        [line] = re.findall(rf"^\| `{row.id}` \| `{row.dialect}` \| .*$", text(), re.MULTILINE)
        assert all(f"`{face.dialect}` at `{row.with_face(face).base_url}`" in line for face in row.faces)


def test_what_is_not_known_has_no_line() -> None:
    bare = replace(ROW, rate=None, concurrency=None, pooling="", reset=None, retired=(), note="", faces=(), key_url="")
    assert [line.split(" | ")[1:] for line in lines(bare)] == [
        ["Acme \\| Sons", "`ac`", "`ACME_API_KEY`, `AC_API_KEY`, `ACME_TOKEN`", "your machine: none needed |"],
        ["`openai_chat`", "`https://api.acme.test/v1`", "`api-key`", " |"],
        ["`acme-1`", "`acme-2`, `acme-3`", "2026-11 |"],
    ]


def test_every_provider_but_the_demo_is_listed() -> None:
    for row in CATALOG[1:]:
        assert len(re.findall(rf"^\| `{row.id}` \|", text(), re.MULTILINE)) >= 3
    assert "`demo`" not in text()


def test_everything_has_words() -> None:
    assert set(BEGINS) == set(Calendar)
    assert set(SENT_AS) == set(Auth)
    for table in text().split("\n## ")[1:]:
        bars = {re.sub(r"\\\|", "", line).count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(bars) == 1
