"""deploy/kubernetes: what kustomize makes of the overlays, checked against Kubernetes' own schemas."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from providers.spec import Timeouts
from tests.deploy.image import image
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
    scaled = one(production, "HorizontalPodAutoscaler")["spec"]
    assert (scaled["minReplicas"], scaled["maxReplicas"]) == (3, 12)
    assert one(production, "ConfigMap")["data"]["KEYTURN_PROCESSES"] == str(scaled["minReplicas"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_apply_takes_back_what_the_autoscaler_did(tree: Path, name: str) -> None:
    assert "replicas" not in one(overlay(tree, name), "Deployment")["spec"]


def test_production_has_an_image_that_does_not_change_by_itself(tree: Path) -> None:
    for kind, name in (("Deployment", "keyturn"), ("StatefulSet", "keyturn-redis")):
        (container,) = one(overlay(tree, "production"), kind, name)["spec"]["template"]["spec"]["containers"]
        _, _, tag = container["image"].rpartition("/")[2].partition(":")
        assert re.match(r"\d+\.\d+", tag)


def test_an_external_redis_takes_the_place_of_the_clusters_own(tree: Path) -> None:
    path = tree / "overlays/production/kustomization.yaml"
    path.write_text(path.read_text().replace("components/redis", "components/external-redis"))
    objects = overlay(tree, "production")
    assert "StatefulSet" not in {each["kind"] for each in objects}
    assert "REDIS_URL" not in one(objects, "ConfigMap")["data"]
    labels = one(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    policy = one(objects, "NetworkPolicy", "keyturn-to-redis")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    [rule] = policy["spec"]["egress"]
    assert {"port": 6379} in rule["ports"]
    assert {"ipBlock": {"cidr": "10.0.0.0/8"}} in rule["to"]
    kubernetes_validate.validate(policy, "1.31", strict=True)


def test_streams_pass_the_ingress_unbuffered(tree: Path) -> None:
    notes = one(overlay(tree, "production"), "Ingress")["metadata"]["annotations"]
    said = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in notes.items()}
    assert said["proxy-buffering"] == "off"
    silence = Timeouts().read
    assert silence
    assert int(said["proxy-read-timeout"]) > silence
    assert f"proxy_read_timeout {said['proxy-read-timeout']}s;" in (ROOT / "deploy/nginx/keyturn.conf").read_text()


def test_other_ingresses_wait_for_an_answer_as_long_as_the_gateway_does() -> None:
    (route,) = yaml.safe_load_all((HERE / "components/gateway-api/httproute.yaml").read_text())
    assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    _, transport = yaml.safe_load_all((HERE / "components/ingress-traefik/ingressroute.yaml").read_text())
    assert transport["spec"]["forwardingTimeouts"]["responseHeaderTimeout"] == "0s"


def test_another_replica_is_tried_for_what_nginx_has_kept(tree: Path) -> None:
    """Without a buffered body nothing can be sent a second time."""
    notes = one(overlay(tree, "production"), "Ingress")["metadata"]["annotations"]
    said = {name.removeprefix("nginx.ingress.kubernetes.io/"): value for name, value in notes.items()}
    bare = (ROOT / "deploy/nginx/keyturn.conf").read_text()
    assert said["proxy-request-buffering"] == "on"
    assert said["proxy-body-size"] == "32m"
    for directive in ("proxy-request-buffering", "proxy-next-upstream", "proxy-next-upstream-tries"):
        assert f"{directive.replace('-', '_')} {said[directive]};" in bare


def test_the_probes_ask_what_they_are_for(tree: Path) -> None:
    """A gateway that drains is not ready and is alive: it must not be killed for that."""
    (container,) = one(overlay(tree, "production"), "Deployment")["spec"]["template"]["spec"]["containers"]
    asked = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in asked.items()} == {
        "startup": "/healthz",
        "liveness": "/healthz",
        "readiness": "/readyz",
    }
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {probe["port"] for probe in asked.values()} == {"http"}
    assert str(ports["http"]) == image().environ["PORT"]
    uid, _, gid = image().user.partition(":")
    pod = one(overlay(tree, "production"), "Deployment")["spec"]["template"]["spec"]
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (int(uid), int(gid))
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {image().environ["HOME"]}
