"""The attacks are counted: how many cases, how many rules, and that each names its source."""

import importlib.util
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[1] / "adversarial"
MODULES = sorted(HERE.glob("test_*.py"))
ENDPOINTS = {
    "authorize",
    "pushed",
    "token",
    "client_authentication",
    "dpop",
    "userinfo",
    "introspection",
    "revocation",
    "registration",
    "device",
    "logout",
    "consent",
    "api_bearer",
}
"""One module each: whoever adds an endpoint adds a module."""
SOURCE = re.compile(
    r"RFC \d{3,4}|CVE-\d{4}-\d+|CWE-\d+|GHSA-[\w-]+|OIDC|OAuth|OpenID|FAPI|JARM|Logout|OWASP"
    r"|PortSwigger|Fetch|CSP|NĐ|W3C|CORS|HTML|NIST|RP-Initiated|Form Post|Front-Channel|Unicode|[\w-]+/[\w.-]+#\d+"
)


def _cases(module: Path) -> list[Any]:
    name = f"adversarial_{module.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, module)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return list(sys.modules[name].CASES)


ALL = [(module, case) for module in MODULES for case in _cases(module)]


def test_every_endpoint_has_its_module() -> None:
    assert {module.stem.removeprefix("test_") for module in MODULES} >= ENDPOINTS


def test_there_are_many_cases_over_many_distinct_rules() -> None:
    assert len(ALL) >= 150
    rules = {case.rule.strip().lower() for _, case in ALL}
    assert len(rules) >= 60


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.stem)
def test_every_case_names_its_rule_and_where_it_comes_from(module: Path) -> None:
    for case in _cases(module):
        assert case.rule.strip(), case.id
        assert SOURCE.search(case.source), f"{module.stem}: {case.id}: {case.source}"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.stem)
def test_no_case_is_counted_twice(module: Path) -> None:
    twice = [name for name, n in Counter(case.id for case in _cases(module)).items() if n > 1]
    assert twice == []
