"""The Helm chart says what the gateway needs. `make lint-deploy` holds it to Kubernetes' own schemas."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from tests.deploy.chart import VALUES, Chart
from tests.docs.pages import ROOT

CHART = Chart(ROOT / "deploy/helm/pointsman")


def rendered(**over: Any) -> dict[str, dict[str, Any]]:
    """The chart's objects by kind; the headless Service under "Each"."""
    objects = CHART.render(**over)
    return {"Each" if each["metadata"]["name"].endswith("-each") else each["kind"]: each for each in objects}


def container(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize("values", VALUES, ids=str)
def test_selectors_find_the_pods_and_names_agree(values: dict[str, Any]) -> None:
    objects = rendered(**values)
    labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "Each"):
        assert objects[kind]["spec"]["selector"].items() <= labels.items()
    assert objects["StatefulSet"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert objects["StatefulSet"]["spec"]["serviceName"] == objects["Each"]["metadata"]["name"]
    if "HorizontalPodAutoscaler" in objects:
        target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("StatefulSet", objects["StatefulSet"]["metadata"]["name"])
        assert "replicas" not in objects["StatefulSet"]["spec"]
    if "PodDisruptionBudget" in objects:
        assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_pod_is_neither_root_nor_able_to_write_beside_the_ledger() -> None:
    objects = rendered()
    pod, only = objects["StatefulSet"]["spec"]["template"]["spec"], container(objects)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    written = {mount["name"] for mount in only["volumeMounts"] if not mount.get("readOnly")}
    assert written == {"ledger", "tmp"}


def test_probes_are_endpoints_of_the_gateway_and_stopping_leaves_time_for_answers() -> None:
    objects = rendered()
    only = container(objects)
    probes = {name: only[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    grace_s = objects["StatefulSet"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace_s >= only["lifecycle"]["preStop"]["sleep"]["seconds"] + 30 + 5


def test_secrets_come_from_a_secret_and_the_chart_holds_none() -> None:
    objects = rendered(secretName="mine")
    assert container(objects)["envFrom"] == [{"secretRef": {"name": "mine"}}]
    assert "Secret" not in objects


def test_the_monitor_reads_metrics_with_the_admin_key_from_one_service_only() -> None:
    objects = rendered(serviceMonitor={"enabled": True})
    (endpoint,) = objects["ServiceMonitor"]["spec"]["endpoints"]
    assert endpoint["path"] == "/metrics"
    assert endpoint["authorization"]["credentials"] == {"name": "pointsman-keys", "key": "POINTSMAN_ADMIN_KEY"}
    chosen = objects["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
    assert chosen <= objects["Service"]["metadata"]["labels"].items()
    assert not chosen <= objects["Each"]["metadata"]["labels"].items()


def test_the_image_is_the_charts_version_unless_a_tag_or_a_digest_says_otherwise() -> None:
    assert container(rendered())["image"] == f"pointsman:{CHART.chart['appVersion']}"
    assert container(rendered(image={"tag": "7"}))["image"] == "pointsman:7"
    assert container(rendered(image={"tag": "7", "digest": "sha256:ab"}))["image"] == "pointsman@sha256:ab"


def test_values_that_are_not_there_are_refused_by_the_renderer() -> None:
    with pytest.raises(ValueError, match="no value 'replica'"):
        CHART.render(replica=2)


def test_the_configuration_arrives_as_it_was_written() -> None:
    text = rendered()["ConfigMap"]["data"]["pointsman.yaml"]
    assert yaml.safe_load(text) == yaml.safe_load(CHART.values["config"])
