"""deploy/kubernetes: what kustomize makes of the overlays, checked against Kubernetes' own schemas."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gateway_process import ROOT

HERE = ROOT / "deploy" / "kubernetes"
OLDEST = (1, 27)  # whose kustomize knows all that the overlays say
OVERLAYS = ("dev", "production")
COMPONENTS = sorted(path.name for path in (HERE / "components").iterdir())
# Kinds of operators and gateways; their schemas are not Kubernetes' own.
FOREIGN = {"PodMonitor", "IngressRoute", "ServersTransport", "HTTPRoute"}
Json = dict[str, Any]


@cache
def kubectl() -> str:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("no kubectl here: apt install kubernetes-client brings one; 1.27 or newer is needed")
    said = subprocess.run([program, "version", "--client"], capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"v(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        pytest.skip(f"{program} is older than 1.27: {said.splitlines()[:1]}")
    return program


def built(folder: Path) -> list[Json]:
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy in which the dev overlay has its Secret's file, as its first lines say."""
    copy = tmp_path / "kubernetes"
    shutil.copytree(HERE, copy)
    shutil.copy(copy / "overlays/dev/secret.env.example", copy / "overlays/dev/secret.env")
    return copy


def overlay(tree: Path, name: str) -> list[Json]:
    return built(tree / "overlays" / name)


def one(objects: list[Json], kind: str, name: str = "keyturn") -> Json:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_every_object_is_valid(tree: Path, name: str) -> None:
    import kubernetes_validate  # type: ignore[import-untyped]

    objects = overlay(tree, name)
    checked = [each for each in objects if each["kind"] not in FOREIGN]
    for each in checked:
        kubernetes_validate.validate(each, "1.31", strict=True)
    assert len(checked) >= 7


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_component_can_be_added(tree: Path, component: str) -> None:
    extra = tree / "overlays" / "with-component"
    extra.mkdir()
    lines = ["resources: [../../base]", f"components: [../../components/{component}]"]
    (extra / "kustomization.yaml").write_text("\n".join(lines))
    assert len(built(extra)) > 6


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_restricted(tree: Path, name: str) -> None:
    for each in overlay(tree, name):
        if each["kind"] not in ("Deployment", "StatefulSet"):
            continue
        pod = each["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert container["readinessProbe"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_has_time_for_its_drain(tree: Path, name: str) -> None:
    objects = overlay(tree, name)
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    waits = float(re.findall(r"sleep\((\d+)\)", str(container["lifecycle"]["preStop"]))[0])
    drain = float(one(objects, "ConfigMap")["data"]["DRAIN_TIMEOUT"])
    assert pod["terminationGracePeriodSeconds"] > waits + drain


@pytest.mark.parametrize("name", OVERLAYS)
def test_selectors_meet_the_gateways_pods_and_no_others(tree: Path, name: str) -> None:
    objects = overlay(tree, name)
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = (
        [
            one(objects, "Service")["spec"]["selector"],
            one(objects, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        ]
        if name == "dev"
        else [
            one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
            one(objects, "PodMonitor")["spec"]["selector"]["matchLabels"],
        ]
    )
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()


def test_settings_and_secrets_are_wired(tree: Path) -> None:
    for name in OVERLAYS:
        objects = overlay(tree, name)
        (container,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
        config, secret = container["envFrom"]
        assert config["configMapRef"]["name"] == one(objects, "ConfigMap")["metadata"]["name"]
        if name == "dev":
            assert secret["secretRef"]["name"] == one(objects, "Secret")["metadata"]["name"]
        else:
            assert secret["secretRef"]["name"] == "keyturn"


def test_the_overlays_differ_as_the_readme_says(tree: Path) -> None:
    dev, production = (overlay(tree, name) for name in OVERLAYS)
    kinds = {each["kind"] for each in production} - {each["kind"] for each in dev}
    assert kinds == {"HorizontalPodAutoscaler", "PodDisruptionBudget", "PodMonitor", "Ingress", "StatefulSet"}
    assert one(dev, "ConfigMap")["data"]["LOG_LEVEL"] == "DEBUG"
    assert one(production, "ConfigMap")["data"]["REDIS_URL"].startswith("redis://")
    assert one(production, "Deployment")["spec"]["replicas"] == 3


def test_streams_pass_the_ingress_unbuffered(tree: Path) -> None:
    notes = one(overlay(tree, "production"), "Ingress")["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > 180
