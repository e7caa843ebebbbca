# Copyright (c) 2026 the zdm authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows can be done as it stands there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.zdm.rollout.plugins.module_utils.agent.protocol import OPERATIONS
from ansible_collections.zdm.rollout.plugins.module_utils.routers._nginx_lines import FORMAT as NGINX_FORMAT
from ansible_collections.zdm.rollout.plugins.module_utils.routers.api import MemberState, Scale, Traffic
from ansible_collections.zdm.rollout.plugins.plugin_utils import _spec_keys
from ansible_collections.zdm.rollout.plugins.plugin_utils._plan import LiveRouter, plan
from ansible_collections.zdm.rollout.plugins.plugin_utils._problem import SpecError
from ansible_collections.zdm.rollout.plugins.plugin_utils._request import read_request
from ansible_collections.zdm.rollout.plugins.plugin_utils._spec import parse
from tests.support.haproxy import FORMAT, RING, TO_RING

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections/ansible_collections/zdm/rollout"
MODULES = sorted((COLLECTION / "plugins/modules").glob("*.py"))
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *COLLECTION.rglob("*.md")]


def blocks(page: Path) -> list[str]:
    """The YAML that a page shows."""
    return re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_the_first_rollout_of_the_readme_is_read_and_planned(tmp_path: Path) -> None:
    variables, spec, *dummy = blocks(ROOT / "README.md")
    assert len((variables + spec).splitlines()) < 20, "the first rollout fits into twenty lines"
    (tmp_path / "web.yml").write_text(spec, encoding="utf-8")
    (tmp_path / "deploy.yml").write_text("[]\n", encoding="utf-8")
    hosts: dict[str, Any] = {
        name: {"ansible_host": "192.0.2.%d" % number} for number, name in enumerate(("vm1", "vm2"))
    }
    hosts["lb1"] = yaml.safe_load(variables)
    request = read_request(str(tmp_path / "web.yml"), "", {"loadbalancers": ["lb1"], "web": ["vm1", "vm2"]}, hosts)
    servers = [MemberState("%s-blue" % vm, "blue", "up", weight=1, base=1) for vm in ("vm1", "vm2")]
    servers += [MemberState("%s-green" % vm, "green", "down", weight=1, base=1) for vm in ("vm1", "vm2")]
    traffic = Traffic(
        members=tuple(servers),
        split={"blue": 100.0, "green": 0.0},
        scale=Scale(per="server", top=256),
        held=True,
        durable="no",
    )
    made = plan(request.spec, request.fleet, {"lb1": LiveRouter(traffic, None)})
    assert [step.weight for step in made.steps] == [0, 5, 15, 45, 100]
    assert (made.stable, made.canary) == ("blue", "green")


def test_the_freezes_of_the_readme_are_read() -> None:
    dummy, spec, freezes = (yaml.safe_load(block) for block in blocks(ROOT / "README.md"))
    found = parse({**spec, **freezes})
    assert [window.reason for window in found.freeze] == ["holidays", "nobody is there to look"]
    assert found.max_run == 55 * 60


@pytest.mark.parametrize("number", range(5))
def test_the_checks_of_the_docs_are_read_and_planned(number: int, tmp_path: Path) -> None:
    shown = [yaml.safe_load(block) for block in blocks(ROOT / "docs/checks.md")]
    routers = [each["zdm_router"] for each in shown if "zdm_router" in each]
    checks = [each["checks"] for each in shown if "checks" in each]
    assert (len(routers), len(checks)) == (1, 4)
    router = routers[0] if number < 4 else {key: value for key, value in routers[0].items() if key != "log"}
    spec = yaml.safe_load(blocks(ROOT / "README.md")[1])
    spec.update(checks=checks[number % 4], hooks={})
    (tmp_path / "web.yml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    hosts: dict[str, Any] = {"vm1": {}, "lb1": {"zdm_router": router}}
    groups = {"loadbalancers": ["lb1"], "web": ["vm1"]}
    if number < 4:
        request = read_request(str(tmp_path / "web.yml"), "", groups, hosts)
        assert set(request.spec.checks) == set(checks[number])
    else:
        with pytest.raises(SpecError, match=r"lb1\.zdm_router\.log"):  # the control: HAProxy without a log
            read_request(str(tmp_path / "web.yml"), "", groups, hosts)


@pytest.mark.parametrize(
    ("number", "weights"),
    list(enumerate([[5, 50, 100], [0, 10, 100], [5, 10, 20, 40, 80, 100], *[[0, 100]] * 3])),
    ids=str,
)
def test_the_strategies_of_the_docs_are_read_and_make_their_steps(
    number: int, weights: list[float], tmp_path: Path
) -> None:
    spec = yaml.safe_load(blocks(ROOT / "README.md")[1])
    del spec["progression"]
    spec.update(yaml.safe_load(blocks(ROOT / "docs/strategies.md")[number]), hooks={})
    (tmp_path / "web.yml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    router = yaml.safe_load(blocks(ROOT / "README.md")[0])
    request = read_request(
        str(tmp_path / "web.yml"), "", {"loadbalancers": ["lb1"], "web": ["vm1"]}, {"vm1": {}, "lb1": router}
    )
    assert [step.weight for step in request.spec.steps] == weights
    assert {75.0} == {step.hold for step in request.spec.steps} or number != 2


@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
def test_the_lines_of_the_page_on_adoption_are_read(proxy: str, tmp_path: Path) -> None:
    whole = (ROOT / "docs/adopt.md").read_text(encoding="utf-8")
    page = dict(zip(("haproxy", "nginx"), whole.split("\n## An nginx\n"), strict=True))[proxy]
    inventory, spec = re.findall(r"# ---- (?:inventory|spec).*?\n(.*?)(?:\n\n|```)", page, re.DOTALL)
    tree = yaml.safe_load(inventory)["all"]["children"]
    hosts = {host: {**group.get("vars", {}), **own} for group in tree.values() for host, own in group["hosts"].items()}
    (tmp_path / "web.yml").write_text(spec, encoding="utf-8")
    groups = {name: list(group["hosts"]) for name, group in tree.items()}
    request = read_request(str(tmp_path / "web.yml"), "2.10", groups, hosts)
    service = request.fleet.service_for("lb1", request.spec)
    members = {(each.name, each.address, str(each.port)) for pool in service.pools.values() for each in pool}
    if proxy == "nginx":  # whose servers have no names
        written = re.findall(r"^    server ()(\S+):(\d+) (?!backup)", page, re.MULTILINE)
        members = {("", address, port) for dummy, address, port in members}
    else:
        written = re.findall(r"server (\S+) (\S+):(\d+) check$", page, re.MULTILINE)
    assert len(written) == 4
    assert members == set(written)


def test_the_log_of_the_docs_is_the_one_that_is_tested() -> None:
    page = (ROOT / "docs/checks.md").read_text(encoding="utf-8")
    for text in (FORMAT, TO_RING, *RING.splitlines(), NGINX_FORMAT):
        assert text.strip() in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target).exists(), "%s links to %s" % (page, target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_yaml_of_a_page_is_yaml(page: Path) -> None:
    for block in blocks(page):
        assert yaml.safe_load(block)


def section(title: str) -> str:
    """A section of the contracts, by the start of its title."""
    text = (ROOT / "docs/contracts.md").read_text(encoding="utf-8")
    return text.partition("\n## %s" % title)[2].partition("\n## ")[0]


def test_the_contract_of_the_protocol_is_what_the_agent_knows() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|[^|]*\|$", section("2. Agent protocol"), re.MULTILINE))
    assert set(rows) == set(OPERATIONS)
    for operation, (required, optional) in OPERATIONS.items():
        missing = [key for key in {**required, **optional} if "`%s" % key not in rows[operation]]
        assert not missing, "%s: the contract does not name %s" % (operation, missing)


def test_the_contract_of_the_spec_names_every_key() -> None:
    text = section("1. Spec")
    words = set(re.findall(r"[a-z_0-9]+", " ".join(re.findall(r"`([^`]+)`", text))))
    tables = [value for value in vars(_spec_keys).values() if isinstance(value, _spec_keys.Keys)]
    assert len(tables) > 5
    assert {key for table in tables for key in (*table.known, *table.not_yet)} <= words


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_modules_examples_use_its_options(module: Path) -> None:
    documentation, examples = documented(module)
    options = documentation.get("options", {})
    required = {name for name, option in options.items() if option.get("required")}
    fragments = documentation.get("extends_documentation_fragment", [])
    used = [task["zdm.rollout.%s" % module.stem] or {} for task in examples if "zdm.rollout.%s" % module.stem in task]
    assert used, "no example uses the module itself"
    for arguments in used:
        assert required <= set(arguments)
        if not fragments:
            assert set(arguments) <= set(options)


def documented(module: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """DOCUMENTATION and EXAMPLES of a module's source."""
    found = {
        statement.targets[0].id: ast.literal_eval(statement.value)
        for statement in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id in ("DOCUMENTATION", "EXAMPLES", "RETURN")
    }
    assert set(found) == {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    return yaml.safe_load(found["DOCUMENTATION"]), yaml.safe_load(found["EXAMPLES"])
