"""Authlib's classes stay what they are: what we change in them is one line that calls what does it."""

import ast
import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from types import FunctionType

import pytest
from authlib.oauth2.rfc6749 import OAuth2Error

import idp.oidc


def _ours() -> Iterator[type]:
    """Our classes that are Authlib's, but for errors."""
    for found in pkgutil.walk_packages(idp.oidc.__path__, "idp.oidc."):
        module = importlib.import_module(found.name)
        for _, each in inspect.getmembers(module, inspect.isclass):
            theirs = any(base.__module__.startswith("authlib.") for base in each.__mro__)
            if theirs and each.__module__ == found.name and not issubclass(each, OAuth2Error):
                yield each


OVERRIDES = sorted(
    {
        (f"{owner.__name__}.{name}", member)
        for each in _ours()
        for owner in each.__mro__
        if owner.__module__.startswith("idp.")
        for name, member in vars(owner).items()
        if isinstance(member, FunctionType)
        and name != "__init__"
        and any(
            name in vars(base) for base in each.__mro__ if base.__module__.startswith("authlib.")
        )
    },
    key=lambda found: found[0],
)


def test_there_are_overrides() -> None:
    assert {name for name, _ in OVERRIDES} > {
        "Checked.validate_token_request",
        "Introspection.authenticate_token",
        "Server.authenticate_client",
    }


@pytest.mark.parametrize("member", [m for _, m in OVERRIDES], ids=[n for n, _ in OVERRIDES])
def test_an_override_is_one_line(member: FunctionType) -> None:
    node = ast.parse(textwrap.dedent(inspect.getsource(member))).body[0]
    assert isinstance(node, ast.FunctionDef)
    said, *does = node.body
    assert isinstance(said, ast.Expr), "what it is for"
    assert len(does) <= 1
    assert all(isinstance(each, ast.Return | ast.Expr) for each in does)
