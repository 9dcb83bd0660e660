"""The scrape config and the dashboard speak of what the gateway really exports."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from gateway.metrics import OUTCOMES, STAGES, Metrics
from gateway.metrics.calls import CACHED
from gateway.metrics.clients import KINDS
from gateway.store_metrics import StoreMetrics
from middleware.context import RequestContext
from providers.errors import ErrorKind
from providers.keys import STATES
from providers.ports import Attempt, Usage

ROOT = Path(__file__).parent.parent
SERIES = re.compile(r"\bkeyturn_[a-z_0-9]+")
ALL_SERIES = re.compile(r"\b(?:keyturn|gen_ai)_[a-z_0-9]+(?=[\[{ )]|$)(?<!_name)(?<!_model)(?<!_type)")
SELECTOR = re.compile(r"(keyturn_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "scripts/dashboards.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["dashboards"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


DASHBOARDS = generator()
BOARDS: dict[str, Any] = {
    name: json.loads((ROOT / f"grafana/dashboards/{name}.json").read_text()) for name in DASHBOARDS.BOARDS
}
RULES = yaml.safe_load((ROOT / "deploy/prometheus/rules/keyturn.yml").read_text())["groups"]


def exported() -> dict[str, set[str]]:
    """Every series and its labels, from an exposition."""
    attempt = Attempt("req_1", "demo", "demo", "demo", 0.0, first_content=0.5, ended=1.0, reads=3, affinity="hit")
    attempt.lost, attempt.outcome, attempt.usage = ("top_k",), "ok", Usage(10, 20, 30, 40, 5)
    context = RequestContext("req_1", 0.0, "/v1/messages", target=("demo", "demo"), outcome="ok")
    context.trail.attempts.append(attempt)
    for price in (None, 0.01):
        metrics = Metrics(
            [("demo", "demo")], ["/v1/messages"], [("demo", "groq")], ["groq"], ["ada"], lambda *_, each=price: each
        )
        store = StoreMetrics(metrics.registry)
        store.store_waited(0.001)
        metrics.key_states("demo", {"demo": "ready"})
        metrics.key_limits("demo", "demo", 1.0, 0.5)
        metrics.learned("demo", "demo", "output_tokens", 10)
        metrics.provider_state("demo", 0, 1.0)
        metrics.attempt_ended(attempt)
        metrics.request_ended(context)
        metrics.request_ended(RequestContext("req_2", 0.0, "/v1/messages", barred="requests", outcome="error"))
        if price is None:
            unpriced = metrics.exposition().decode()
    text = unpriced + metrics.exposition().decode()
    lines = re.findall(r"^((?:keyturn|gen_ai)_\w+)(?:\{([^}]*)\})? ", text, re.MULTILINE)
    found: dict[str, set[str]] = {}
    for name, labels in lines:
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def expressions(boards: list[Any]) -> list[str]:
    return [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]


def alerts() -> list[str]:
    return [rule["expr"] for group in RULES for rule in group["rules"]]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_the_shipped_dashboard_is_what_the_script_writes(name: str) -> None:
    assert (ROOT / f"grafana/dashboards/{name}.json").read_text() == DASHBOARDS.board(name)


def test_the_dashboards_show_every_series_of_ours_and_no_other() -> None:
    shown = {name for expression in expressions(list(BOARDS.values())) for name in SERIES.findall(expression)}
    there = {re.sub(r"_(sum|count|created)$", "_bucket", name) for name in exported() if name.startswith("keyturn_")}
    there = {name for name in there if not name.endswith("_bucket") or name in exported()}
    assert shown == there


def test_dashboards_and_alerts_speak_of_what_is_there() -> None:
    series = exported()
    for expression in [*expressions(list(BOARDS.values())), *alerts()]:
        for name in ALL_SERIES.findall(expression):
            assert name in series, expression


def test_selectors_and_groups_use_labels_that_exist() -> None:
    series = exported()
    values = {
        "outcome": {*OUTCOMES, "failed", "abandoned"},
        "state": set(STATES),
        "stage": set(STAGES),
        "reason": {kind.value for kind in ErrorKind},
        "type": set(KINDS),
        "kind": set(CACHED.values()),
    }
    for expression in [*expressions(list(BOARDS.values())), *alerts()]:
        for name, selector in SELECTOR.findall(expression):
            for label, _, value in LABEL.findall(selector):
                assert label in series[name]
                assert set(value.split("|")) <= values[label]
        labels = set().union(*(series.get(name, set()) for name in ALL_SERIES.findall(expression)))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in group.split(",")} <= labels | {"le", "instance"}, expression


def test_every_alert_says_what_to_do() -> None:
    found = [rule for group in RULES for rule in group["rules"] if "alert" in rule]
    assert len(found) >= 10
    for rule in found:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")


def test_prometheus_scrapes_where_the_gateway_serves() -> None:
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    assert job["metrics_path"] == "/metrics"
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8082"]}]


def test_grafana_finds_the_dashboard_and_the_source_it_names() -> None:
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    board = json.loads((ROOT / "grafana/dashboards/keyturn.json").read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"] for source in sources}
    providers = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/keyturn.yml").read_text())["providers"]
    assert [provider["type"] for provider in providers] == ["file"]
