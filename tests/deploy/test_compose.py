"""deploy/compose.yaml: what docker-compose makes of it, and the rules that every container keeps."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings.variables import variables
from tests.gateway_process import ROOT

DEPLOY = ROOT / "deploy"
SECRETS = {"GRAFANA_PASSWORD": "g", "METRICS_TOKEN": "m"}
Json = dict[str, Any]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What compose reads, with an env file as its README says."""
    for name in ("deploy", "grafana"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(DEPLOY / "env.example", tmp_path / "deploy" / ".env")
    return tmp_path


def compose(
    checkout: Path, folder: str = "deploy", file: str = "compose.yaml", **environ: str
) -> subprocess.CompletedProcess[str]:
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("no docker-compose here: apt install docker-compose")
    return subprocess.run(
        [program, "-p", "keyturn", "-f", file, "config"],
        cwd=checkout / folder,
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def services() -> dict[str, Json]:
    found: dict[str, Json] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return found


def test_docker_compose_takes_it(checkout: Path) -> None:
    done = compose(checkout, **SECRETS)
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)
    assert set(read["services"]) == {"gateway", "redis", "prometheus", "grafana"}
    for service in read["services"].values():
        for mount in service.get("volumes", []):
            source = str(mount).partition(":")[0]
            if source.startswith("/"):
                assert Path(source).exists(), f"{source} is mounted and is not there"


def test_make_up_takes_the_secrets_of_its_env_file(checkout: Path) -> None:
    assert "-p keyturn -f deploy/compose.yaml up" in (ROOT / "Makefile").read_text()
    lines = (DEPLOY / "env.example").read_text().splitlines()
    own = {"METRICS_TOKEN": "m", "GRAFANA_PASSWORD": "g", "ANTHROPIC_AUTH_TOKEN": '"t#1 2"'}
    filled = [f"{line}{own.get(line.removesuffix('='), '')}" for line in lines]
    (checkout / "deploy/.env").write_text("\n".join(filled))
    done = compose(checkout, folder=".", file="deploy/compose.yaml")
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)["services"]
    assert read["prometheus"]["environment"]["METRICS_TOKEN"] == read["gateway"]["environment"]["METRICS_TOKEN"] == "m"
    assert read["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "g"
    assert _unquoted(read["gateway"]["environment"]["ANTHROPIC_AUTH_TOKEN"]) == "t#1 2"


def _unquoted(text: str) -> str:
    """Some versions of compose leave the quotes to the program, which takes one pair away."""
    return text[1:-1] if text.startswith('"') else text


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_a_missing_secret_is_named(checkout: Path, missing: str) -> None:
    done = compose(checkout, **{name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0
    assert f"set {missing} in deploy/.env" in done.stderr


@pytest.mark.parametrize("name", sorted(services()))
def test_every_container_is_hardened(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    if name != "gateway":  # its image has the user and the health check
        assert not service["user"].startswith(("0", "root"))
        assert service["healthcheck"]["test"][0] == "CMD"
        assert ":" in service["image"]
        assert not service["image"].endswith(":latest")


def test_only_the_gateway_is_open_to_others() -> None:
    published = {name: service.get("ports", []) for name, service in services().items()}
    assert published["redis"] == published["prometheus"] == []
    assert all(str(port).startswith("127.0.0.1:") for port in published["grafana"])
    assert services()["redis"]["networks"] == services()["prometheus"]["networks"] == ["inside"]


def test_keys_reach_the_gateway_alone() -> None:
    assert [name for name, service in services().items() if "env_file" in service] == ["gateway"]


def test_the_grace_period_outlives_the_drain() -> None:
    from gateway.settings.variables import Globals

    grace = services()["gateway"]["stop_grace_period"]
    assert float(grace.removesuffix("s")) > Globals.model_fields["drain_timeout"].default


def test_the_example_names_variables_that_exist() -> None:
    text = (DEPLOY / "env.example").read_text()
    named = {line.partition("=")[0].lstrip("#") for line in text.splitlines() if "=" in line and " " not in line[:20]}
    assert named >= {"ANTHROPIC_AUTH_TOKEN", "METRICS_TOKEN", "KEYTURN_ADMIN_TOKEN", "GRAFANA_PASSWORD"}
    assert named - {*variables(), "GRAFANA_PASSWORD", "OPENROUTER_API_KEYS"} == set()


def test_prometheus_scrapes_the_gateway_with_its_token() -> None:
    (job,) = yaml.safe_load((DEPLOY / "prometheus/compose.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["gateway:8082"]}]
    assert job["authorization"]["credentials_file"] in services()["prometheus"]["command"][0]
