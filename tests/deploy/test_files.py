"""What stands in deploy/ fits the product: configurations are valid, metrics exist, times suffice, versions agree."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from tests.docs.pages import DOCS, ROOT

from pointsman.config import load

DEPLOY = ROOT / "deploy"
KEYS = {"OPENAI_API_KEY": "sk-provider", "POINTSMAN_CLIENT_KEY": "client-key", "POINTSMAN_ADMIN_KEY": "admin-key"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
DASHBOARD = json.loads((DEPLOY / "grafana/pointsman.json").read_text(encoding="utf-8"))


def chart_values() -> dict[str, Any]:
    values = yaml.safe_load((DEPLOY / "helm/pointsman/values.yaml").read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def test_configurations_are_valid_ask_for_keys_and_write_to_the_one_folder_that_may_be_written(tmp_path: Path) -> None:
    in_chart = tmp_path / "pointsman.yaml"
    in_chart.write_text(chart_values()["config"], encoding="utf-8")
    for file in (DEPLOY / "pointsman.yaml", in_chart):
        settings = load(file, environ=KEYS)
        assert settings.keys.clients and settings.keys.admin_key is not None
        assert settings.ledger.url.get_secret_value() == "sqlite:////var/lib/pointsman/pointsman.db"
        assert settings.server.port == 8484


def test_compose_is_read_only_and_claims_no_service_that_is_not_used() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"gateway"}
    gateway = compose["services"]["gateway"]
    assert gateway["read_only"] is True and gateway["cap_drop"] == ["ALL"]
    assert gateway["ports"] == ["127.0.0.1:8484:8484"]
    assert gateway["image"] == f"pointsman:{VERSION}"
    assert (DEPLOY / gateway["build"]["context"] / gateway["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"


def test_the_fleet_has_what_its_configuration_names_and_each_replica_keeps_its_spool() -> None:
    settings = load(DEPLOY / "pointsman.fleet.yaml", environ=KEYS | {"POSTGRES_PASSWORD": "secret"})
    assert settings.keys.clients and settings.keys.admin_key is not None
    assert settings.redis.url is not None
    addresses = [urlsplit(url.get_secret_value()) for url in (settings.ledger.url, settings.redis.url)]
    compose = yaml.safe_load((DEPLOY / "compose.fleet.yaml").read_text(encoding="utf-8"))
    services = compose["services"]
    assert [address.hostname for address in addresses] == ["ledger", "shared"]
    assert {"ledger", "shared"} <= set(services)
    replicas = {name: service for name, service in services.items() if service["image"] == f"pointsman:{VERSION}"}
    conf = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert set(re.findall(r"server (\w+):8484;", conf)) == set(replicas) and len(replicas) == 2
    spools = [
        volume for service in replicas.values() for volume in service["volumes"] if "/var/lib/pointsman" in volume
    ]
    assert len(set(spools)) == 2
    assert {spool.partition(":")[0] for spool in spools} <= set(compose["volumes"])
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in replicas.values())
    # The default spool lies in the working folder, which is the volume; the image has what both servers need.
    assert not Path(settings.ledger.spool).is_absolute()
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"^psycopg==", locked, re.M) and re.search(r"^redis==", locked, re.M)


def test_versions_agree() -> None:
    chart = yaml.safe_load((DEPLOY / "helm/pointsman/Chart.yaml").read_text(encoding="utf-8"))
    assert chart["appVersion"] == VERSION


def test_the_image_is_not_root_and_installs_only_what_the_locks_pin() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", text, re.M) == ["10001:10001"]
    installs = [line for line in text.splitlines() if " install " in line and "/bin/pip" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "--no-index" in line for line in installs)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {name for names in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.M) for name in names.split()}
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("file", ["pointsman.service", "compose.yaml", "compose.fleet.yaml"])
def test_a_supervisor_waits_longer_than_answers_may_go_on(file: str) -> None:
    (seconds,) = re.findall(r"^\s*(?:TimeoutStopSec=|stop_grace_period: )(\d+)s?", (DEPLOY / file).read_text(), re.M)
    assert int(seconds) >= 30 + 5


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


def test_the_dashboard_asks_for_metrics_and_labels_that_exist() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", page, re.M)
    labels: dict[str, set[str]] = {}
    for name, kind, names in rows:
        for series in (f"{name}_bucket", f"{name}_sum", f"{name}_count") if kind == "histogram" else (name,):
            labels[series] = set(re.findall(r"`(\w+)`", names)) | {"job", "instance", "le"}
    asked = expressions()
    assert len(asked) > 25
    for expression in asked:
        named = re.findall(r"pointsman_\w+", expression)
        assert named and all(name in labels for name in named), expression
        by = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        by |= {label for group in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)[=!]", group)}
        assert by <= set.union(*(labels[name] for name in named)), expression


def test_the_dashboard_shows_every_metric_of_what_to_watch() -> None:
    watched = set(re.findall(r"`(pointsman_\w+)", (DOCS / "operations.md").read_text(encoding="utf-8")))
    asked = {name for expression in expressions() for name in re.findall(r"pointsman_\w+", expression)}
    # Degraded is the two others, late or lost, as one word for an alert.
    assert watched - asked == {"pointsman_ledger_degraded"}


def test_legends_name_labels_that_their_expression_keeps() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), target["expr"]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
