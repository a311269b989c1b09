"""The files for Grafana and Prometheus: every query asks for figures that there are, and says what it should."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from robot.activity import Deed
from robot.census import Counts
from robot.finished import Face, Finished, Phase
from robot.metrics.meters import Meters
from robot.metrics.state import families
from robot.troubles import Trouble
from tests.robot.test_health import WELL

ROOT = Path(__file__).parents[2]
FILES = ROOT / "systemd" / "prometheus"
RULES = FILES / "rules.yml"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus has it")

# What a scrape adds.
_OF_PROMETHEUS = {"up"}
_LABELS_OF_PROMETHEUS = {"job", "instance", "le"}
_METRIC = re.compile(r"\b(?:robot_\w+|process_\w+|up\b)(?:\{[^}]*\})?")


def dashboard_queries() -> list[str]:
    made = json.loads((FILES / "dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in made["panels"] for target in panel["targets"]]


def rule_queries() -> list[str]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule["expr"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Every sample that a host gives, with the names of its labels."""
    meters = Meters()
    meters.request(Finished("r", Face.PAGES, "GET", "/", 200, True, 0.1, {Phase.WAKE: 0.1}, 5, None, None, ""))
    nobody: Any = None
    meters.deed(Deed(nobody, nobody, "mcp", "read_note"))
    facts = replace(WELL, backup_age_s=60.0, troubles=[Trouble("robot.search", 1, 0)])
    metrics = [*meters.registry.collect(), *families(facts, Counts(1, 0, 0, 1, 0, 0, 0), 5)]
    return {sample.name: set(sample.labels) for metric in metrics for sample in metric.samples}


@pytest.mark.parametrize("query", [*dashboard_queries(), *rule_queries()])
def test_each_query_asks_for_what_there_is(query: str, known: dict[str, set[str]]) -> None:
    asked = _METRIC.findall(query)
    assert asked
    for selector in asked:
        name, _, matchers = selector.partition("{")
        assert name in known or name in _OF_PROMETHEUS, name
        matched = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))
        assert matched <= known.get(name, set()) | _LABELS_OF_PROMETHEUS, selector
    grouped = {label for group in re.findall(r"\bby \(([^)]*)\)", query) for label in re.split(r",\s*", group)}
    assert grouped <= set().union(*(known.get(one.partition("{")[0], set()) for one in asked)) | _LABELS_OF_PROMETHEUS


def test_the_dashboard_is_current() -> None:
    render = runpy.run_path(str(ROOT / "docs" / "make_dashboard.py"))["render"]
    assert render() == (FILES / "dashboard.json").read_text("utf-8"), "run `make docs`"


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_rules_scrape_and_queries(tmp_path: Path) -> None:
    promtool("check", "rules", str(RULES))
    shutil.copy(FILES / "scrape.yml.example", tmp_path / "prometheus.yml")
    promtool("check", "config", "--syntax-only", str(tmp_path / "prometheus.yml"))
    queries = [query.replace("$__rate_interval", "5m") for query in dashboard_queries()]
    recorded = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(queries)]
    panels = tmp_path / "panels.yml"
    panels.write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}), "utf-8")
    promtool("check", "rules", str(panels))


@needs_promtool
def test_the_rules_say_what_they_should(tmp_path: Path) -> None:
    of_robot = '{instance="h",job="robot"}'

    def series(name: str, values: str, labels: str = of_robot) -> dict[str, str]:
        return {"series": f"{name}{labels}", "values": values}

    def told(rule: str, hours: str, **labels: str) -> dict[str, Any]:
        expected = [{"exp_labels": {"severity": "warning", "instance": "h", "job": "robot", **labels}}] if hours else []
        return {"eval_time": hours or "30h", "alertname": rule, "exp_alerts": expected}

    annotations = {
        rule["alert"]: rule["annotations"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    }
    never = told("RobotNeverBackedUp", "26h")
    never["exp_alerts"][0]["exp_annotations"] = annotations["RobotNeverBackedUp"]
    old = told("RobotBackupOld", "30h")
    old["exp_alerts"][0]["exp_annotations"] = annotations["RobotBackupOld"]
    cases = [
        {
            "input_series": [series("robot_up_seconds", "0+3600x40")],
            "alert_rule_test": [never, told("RobotBackupOld", "")],
        },
        {
            "input_series": [
                series("robot_up_seconds", "0+3600x40"),
                series("robot_backup_age_seconds", "100000+3600x40"),
            ],
            "alert_rule_test": [told("RobotNeverBackedUp", ""), old],
        },
        {
            "input_series": [series("robot_up_seconds", "0+3600x40"), series("robot_backup_age_seconds", "60x40")],
            "alert_rule_test": [told("RobotNeverBackedUp", ""), told("RobotBackupOld", "")],
        },
    ]
    tests = [{"interval": "1h", **case} for case in cases]
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1h", "tests": tests}), "utf-8")
    promtool("test", "rules", str(file))
