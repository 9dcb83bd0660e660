"""Where the log is copied to, and where traces go."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from urllib.parse import unquote

from gateway.settings.layers import Layers, resolve
from gateway.settings.model import LogFile, Traces
from gateway.settings.report import Report
from gateway.settings.values import Rejected, base_url
from gateway.settings.variables import Globals, written

LOG_FILE = "log_file"
EXPORTER = "opentelemetry.exporter.otlp.proto.http"
# The first that is set, and the path under it (OpenTelemetry's specification of OTLP's exporter, 2026-11).
ENDPOINTS = (("otel_exporter_otlp_traces_endpoint", ""), ("otel_exporter_otlp_endpoint", "/v1/traces"))
NEEDED = (
    ("log_raw_api_payloads", "requests as they come are"),
    ("log_raw_sse_events", "answers as they go out are"),
    ("log_api_error_tracebacks", "the texts of errors, in which words of a conversation may stand, are"),
)


def read_log_file(common: Globals, layers: Layers, cwd: Path, home: Path, report: Report) -> LogFile | None:
    """None where LOG_FILE is blank. One that cannot be written is reported; nothing is made."""
    value = written(layers, LOG_FILE)
    if value is None or not common.log_file:
        return None
    path = resolve(common.log_file, cwd, home)
    # Unlike Path's own these raise nothing where a folder on the way may not be entered.
    there = os.path.exists(path)
    if os.path.isdir(path):
        value.reject(report, f"{path} is a folder", "Write the path of a file in it.")
    elif not os.path.isdir(path.parent):
        value.reject(report, f"there is no folder {path.parent}", "Make it, or write another path.")
    elif not (os.access(path, os.W_OK) if there else os.access(path.parent, os.W_OK | os.X_OK)):
        fix = "Correct its rights, write another path, or leave it blank: the log is on stderr too."
        value.reject(report, f"{path} cannot be written", fix)
    return LogFile(path, common.log_file_level, int(common.log_file_max_mb * 1024 * 1024), common.log_file_keep)


def warn_of_raw_logs(common: Globals, layers: Layers, file: LogFile | None, report: Report) -> None:
    """What an operator must know who has switched them on, or thinks so."""
    shown = "DEBUG" in (common.log_level, file.level if file else "")
    for name, what in NEEDED:
        value = written(layers, name)
        if value is None or not getattr(common, name):
            continue
        if shown or name == "log_api_error_tracebacks":
            value.warn(report, f"{what} written to the log, without keys and tokens. Set it to false again soon.")
        else:
            value.warn(report, f"{what} logged at the level DEBUG, which LOG_LEVEL and LOG_FILE_LEVEL leave out.")


def read_traces(common: Globals, layers: Layers, report: Report) -> Traces | None:
    """None where KEYTURN_TRACES is off: the other variables may then be meant for other programs, and may be wrong."""
    switch = written(layers, "keyturn_traces")
    if switch is None or not common.keyturn_traces:
        return None
    if not _installed():
        switch.reject(report, "OpenTelemetry is not installed", 'Run pip install "keyturn[otel]", or set it to false.')
    endpoint = next((url for name, path in ENDPOINTS if (url := _url(layers, name, path, report))), "")
    if not endpoint:
        switch.reject(
            report,
            "nothing says where traces go",
            "Set OTEL_EXPORTER_OTLP_ENDPOINT, such as http://127.0.0.1:4318, or KEYTURN_TRACES=false.",
        )
    return Traces(endpoint, _pairs(common.otel_exporter_otlp_headers), common.otel_service_name)


def _url(layers: Layers, name: str, path: str, report: Report) -> str:
    value = written(layers, name)
    if value is None or not value.text.strip():
        return ""
    try:
        return base_url(value.text.strip()) + path
    except Rejected as error:
        value.reject(report, error.problem, error.fix)
        return value.text


def _installed() -> bool:
    try:
        return importlib.util.find_spec(EXPORTER) is not None
    except ModuleNotFoundError:
        return False


def _pairs(headers: str) -> tuple[tuple[str, str], ...]:
    """``a=b,c=d`` with values as in a URL, says the specification of OTLP's exporter."""
    split = (part.partition("=") for part in headers.split(",") if "=" in part)
    return tuple((name.strip().lower(), unquote(value.strip())) for name, _, value in split)
