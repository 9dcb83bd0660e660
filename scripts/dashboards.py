"""Writes the dashboards of grafana/dashboards from the tables below: `.venv/bin/python scripts/dashboards.py`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "grafana" / "dashboards"
WIDTH, HEIGHT = 8, 8  # of a panel; a row is 24 wide
PER = "[$__rate_interval]"

Json = dict[str, Any]


@dataclass(frozen=True)
class Panel:
    """``queries`` are (expression, legend); ``kind`` is Grafana's panel type."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    kind: str = "timeseries"
    stacked: bool = False


def rate(series: str, by: str = "", where: str = "") -> str:
    """Per second, summed by these labels."""
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({series}{{{where}}}{PER}))" if where else f"sum{grouped} (rate({series}{PER}))"


def quantile(share: float, histogram: str, by: str = "", where: str = "") -> str:
    """Of a histogram, by these labels."""
    labels = ", ".join(filter(None, ["le", by]))
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', labels, where)})"


OK = 'outcome="ok"'
FAILED = 'outcome="failed"'
CACHED = 'kind="read"'
OVERVIEW = (
    Panel(
        "Answered, share of requests",
        [(f"{rate('keyturn_requests_total', '', OK)} / {rate('keyturn_requests_total')}", "ok")],
        "percentunit",
        "stat",
    ),
    Panel("Keys ready", [('sum(keyturn_key_state{state="ready"})', "ready")], kind="stat"),
    Panel("Requests open at upstreams", [("sum(keyturn_inflight)", "open")], kind="stat"),
    Panel("Requests by outcome", [(rate("keyturn_requests_total", "outcome"), "{{outcome}}")], "reqps", stacked=True),
    Panel(
        "Requests by model", [(rate("keyturn_requests_total", "provider, model"), "{{provider}}/{{model}}")], "reqps"
    ),
    Panel(
        "First content, as clients see it",
        [
            (quantile(0.5, "gen_ai_server_time_to_first_token_seconds"), "p50"),
            (quantile(0.95, "gen_ai_server_time_to_first_token_seconds"), "p95"),
        ],
        "s",
    ),
    Panel("Tokens", [(rate("keyturn_tokens_total", "type"), "{{type}}")], "short"),
    Panel(
        "Cost an hour, estimated",
        [(f"3600 * {rate('keyturn_cost_usd_total', 'provider')}", "{{provider}}")],
        "currencyUSD",
    ),
    Panel("Gateways without their Redis", [("sum(keyturn_redis_degraded)", "away")], kind="stat"),
    Panel("Reloads of the settings", [(rate("keyturn_config_reload_total", "result"), "{{result}}")], "cps"),
    Panel("Versions running", [("sum by (version) (keyturn_build_info)", "{{version}}")], kind="stat"),
)
KEYS = (
    Panel("Keys by state", [("sum by (state) (keyturn_key_state)", "{{state}}")], stacked=True),
    Panel(
        "Keys that are not ready",
        [('sum by (provider, key, state) (keyturn_key_state{state!="ready"}) > 0', "{{key}} {{state}}")],
        kind="table",
    ),
    Panel(
        "Seconds until a key is back",
        [("keyturn_key_reset_timestamp_seconds > 0", "{{key}}")],
        "dateTimeFromNow",
        "table",
    ),
    Panel("Share of the usage limit left", [("keyturn_key_quota_remaining_ratio", "{{key}}")], "percentunit"),
    Panel("Attempts by key", [(rate("keyturn_attempts_total", "key"), "{{key}}")], "reqps"),
    Panel("Open by key", [("sum by (key) (keyturn_inflight)", "{{key}}")]),
    Panel(
        "Moves to another key, by reason",
        [(rate("keyturn_key_rotations_total", "provider, reason"), "{{provider}} {{reason}}")],
        "cps",
    ),
    Panel("Sessions and their keys", [(rate("keyturn_affinity_total", "result"), "{{result}}")], "cps"),
    Panel(
        "No key fitted, by what stood in the way",
        [(rate("keyturn_limit_rejections_total", "provider, axis"), "{{provider}} {{axis}}")],
        "cps",
    ),
)
PROVIDERS = (
    Panel(
        "Failed attempts by reason",
        [(rate("keyturn_attempts_total", "provider, reason", FAILED), "{{provider}} {{reason}}")],
        "cps",
    ),
    Panel(
        "Attempts that failed, share",
        [
            (
                f"{rate('keyturn_attempts_total', 'provider', FAILED)} / {rate('keyturn_attempts_total', 'provider')}",
                "{{provider}}",
            )
        ],
        "percentunit",
    ),
    Panel(
        "Moves to the next target",
        [
            (
                rate("keyturn_failover_total", "from_provider, to_provider, stage"),
                "{{from_provider}} to {{to_provider}}, {{stage}}",
            )
        ],
        "cps",
    ),
    Panel(
        "Attempt, p95",
        [
            (
                quantile(0.95, "gen_ai_client_operation_duration_seconds", "gen_ai_provider_name"),
                "{{gen_ai_provider_name}}",
            )
        ],
        "s",
    ),
    Panel("Calls that wait", [("sum by (provider) (keyturn_queue_depth)", "{{provider}}")]),
    Panel("Waits, p95", [(quantile(0.95, "keyturn_queue_wait_seconds", "provider"), "{{provider}}")], "s"),
    Panel(
        "Retry budget left",
        [("min by (provider) (keyturn_retry_budget_remaining_ratio)", "{{provider}}")],
        "percentunit",
    ),
    Panel("Lost in translation", [(rate("keyturn_lost_total", "provider, field"), "{{provider}} {{field}}")], "cps"),
    Panel("Tool calls repaired", [(rate("keyturn_tool_repairs_total", "kind"), "{{kind}}")], "cps"),
    Panel(
        "Web tools that ran here",
        [(rate("keyturn_web_tool_uses_total", "tool, outcome"), "{{tool}} {{outcome}}")],
        "cps",
    ),
    Panel("Probes answered here", [(rate("keyturn_local_answers_total", "kind"), "{{kind}}")], "cps"),
    Panel("Limits that were learned", [("keyturn_learned_limit", "{{provider}}/{{model}} {{axis}}")], kind="table"),
)
STREAMS = (
    Panel(
        "First content of an upstream",
        [
            (
                quantile(0.5, "gen_ai_client_operation_time_to_first_chunk_seconds", "gen_ai_request_model"),
                "p50 {{gen_ai_request_model}}",
            ),
            (
                quantile(0.95, "gen_ai_client_operation_time_to_first_chunk_seconds", "gen_ai_request_model"),
                "p95 {{gen_ai_request_model}}",
            ),
        ],
        "s",
    ),
    Panel(
        "Between two pieces, p95",
        [
            (
                quantile(0.95, "gen_ai_client_operation_time_per_output_chunk_seconds", "gen_ai_request_model"),
                "{{gen_ai_request_model}}",
            )
        ],
        "s",
    ),
    Panel(
        "Per output token, p50",
        [
            (
                quantile(0.5, "gen_ai_server_time_per_output_token_seconds", "gen_ai_request_model"),
                "{{gen_ai_request_model}}",
            )
        ],
        "s",
    ),
    Panel(
        "Whole request",
        [
            (quantile(share, "gen_ai_server_request_duration_seconds"), f"p{share * 100:g}")
            for share in (0.5, 0.95, 0.99)
        ],
        "s",
    ),
    Panel(
        "Redis, median and p99",
        [(quantile(share, "keyturn_redis_seconds", "op"), f"p{share * 100:g} {{{{op}}}}") for share in (0.5, 0.99)],
        "s",
    ),
    Panel("Redis lost or late, by reason", [(rate("keyturn_redis_lost_total", "reason"), "{{reason}}")], "cps"),
    Panel("Keyturn's own time, p95", [(quantile(0.95, "keyturn_overhead_seconds", "phase"), "{{phase}}")], "s"),
    Panel(
        "Answers that ended early",
        [(rate("keyturn_stream_aborts_total", "side, reason"), "{{side}} {{reason}}")],
        "cps",
    ),
)
COST = (
    Panel(
        "Cost an hour, by client", [(f"3600 * {rate('keyturn_cost_usd_total', 'client')}", "{{client}}")], "currencyUSD"
    ),
    Panel(
        "Cost in the range, by client",
        [("sum by (client) (increase(keyturn_cost_usd_total[$__range]))", "{{client}}")],
        "currencyUSD",
        "bargauge",
    ),
    Panel(
        "Cost in the range, by model",
        [("sum by (provider, model) (increase(keyturn_cost_usd_total[$__range]))", "{{provider}}/{{model}}")],
        "currencyUSD",
        "bargauge",
    ),
    Panel(
        "Tokens by model and type",
        [(rate("keyturn_tokens_total", "provider, model, type"), "{{provider}}/{{model}} {{type}}")],
    ),
    Panel(
        "Input read from a cache, share",
        [
            (
                f"{rate('keyturn_cache_tokens_total', 'provider', CACHED)} / "
                f"{rate('keyturn_cache_tokens_total', 'provider')}",
                "{{provider}}",
            )
        ],
        "percentunit",
    ),
    Panel(
        "Tokens of unknown price",
        [(rate("keyturn_unpriced_tokens_total", "provider, model"), "{{provider}}/{{model}}")],
    ),
    Panel(
        "Requests, by client", [(rate("keyturn_client_requests_total", "client, outcome"), "{{client}} {{outcome}}")]
    ),
    Panel("Tokens, by client", [(rate("keyturn_client_tokens_total", "client, type"), "{{client}} {{type}}")]),
    Panel(
        "Refused for what a token allows",
        [(rate("keyturn_client_refused_total", "client, axis"), "{{client}} {{axis}}")],
    ),
    Panel(
        "Tokens of an attempt, p95",
        [(quantile(0.95, "gen_ai_client_token_usage", "gen_ai_token_type"), "{{gen_ai_token_type}}")],
    ),
)
BOARDS = {
    "keyturn": ("Keyturn", OVERVIEW),
    "keyturn-keys": ("Keyturn: key pool", KEYS),
    "keyturn-providers": ("Keyturn: providers", PROVIDERS),
    "keyturn-streams": ("Keyturn: streams and latency", STREAMS),
    "keyturn-cost": ("Keyturn: cost by client", COST),
}


def board(name: str) -> str:
    """The JSON of one dashboard."""
    title, panels = BOARDS[name]
    whole = {
        "uid": name,
        "title": title,
        "tags": ["keyturn"],
        "schemaVersion": 41,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "links": [
            {"type": "dashboards", "title": "Keyturn", "tags": ["keyturn"], "asDropdown": True, "keepTime": True}
        ],
        "panels": list(_panels(panels)),
    }
    return json.dumps(whole, indent=2) + "\n"


def _panels(panels: Sequence[Panel]) -> Iterator[Json]:
    for number, panel in enumerate(panels):
        column, row = number % 3, number // 3
        yield {
            "id": number + 1,
            "title": panel.title,
            "type": panel.kind,
            "datasource": {"type": "prometheus", "uid": "prometheus"},
            "gridPos": {"x": column * WIDTH, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **_custom(panel)}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.kind == "timeseries" else {},
            "targets": [
                {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend, **_shape(panel)}
                for place, (expression, legend) in enumerate(panel.queries)
            ],
        }


def _custom(panel: Panel) -> Json:
    return {"custom": {"fillOpacity": 20, "stacking": {"mode": "normal"}}} if panel.stacked else {}


def _shape(panel: Panel) -> Json:
    return {"instant": True, "format": "table"} if panel.kind == "table" else {}


def main() -> None:
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(board(name), encoding="utf-8")


if __name__ == "__main__":
    main()
