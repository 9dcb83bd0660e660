"""The scrape config and the dashboard speak of what the gateway really exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from gateway.metrics import OUTCOMES, STAGES, Metrics
from providers.keys import STATES
from providers.ports import Attempt

ROOT = Path(__file__).parent.parent
SERIES = re.compile(r"\bkeyturn_[a-z_]+")
SELECTOR = re.compile(r"(keyturn_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(=|!=)"([^"]*)"')


def exported() -> dict[str, set[str]]:
    """Every series of ours and its labels, from an exposition."""
    metrics = Metrics([("demo", "demo")], ["/v1/messages"], [("demo", "groq")], ["groq"])
    metrics.key_states("demo", {"demo": "ready"})
    metrics.provider_state("demo", 0, 1.0)
    metrics.attempt_ended(Attempt("req_1", "demo", "demo", "demo", 0.0, lost=("top_k",)))
    lines = re.findall(r"^(keyturn_\w+)\{([^}]*)\}", metrics.exposition().decode(), re.MULTILINE)
    return {name: set(re.findall(r'(\w+)="', labels)) for name, labels in lines}


def expressions() -> list[str]:
    board: dict[str, Any] = json.loads((ROOT / "grafana/dashboards/keyturn.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_the_dashboard_shows_every_series_and_no_other() -> None:
    shown = {name for expression in expressions() for name in SERIES.findall(expression)}
    assert shown == {name for name in exported() if not name.endswith("_created")}


def test_the_dashboard_selects_and_groups_by_labels_that_exist() -> None:
    series = exported()
    values = {"outcome": {*OUTCOMES, "failed", "abandoned"}, "state": set(STATES), "stage": set(STAGES)}
    for expression in expressions():
        for name, selector in SELECTOR.findall(expression):
            for label, _, value in LABEL.findall(selector):
                assert label in series[name]
                assert value in values[label]
        labels = set().union(*(series[name] for name in SERIES.findall(expression)))
        for group in re.findall(r"by \(([^)]*)\)", expression):
            assert {label.strip() for label in group.split(",")} <= labels


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
