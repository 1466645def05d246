"""The way to another address and back, by addresses of their own."""

from typing import Any

from flask import Blueprint, request

from connectors.eid import upstreams
from directory.base.errors import NotFound
from idp.factors.second_factors import EID
from idp.login import proving, views, waiting
from idp.web.gate import services

blueprint = Blueprint("elsewhere", __name__)


@blueprint.get("/login/back/<code>")
def returned(code: str) -> Any:
    """Back from another address, where a factor was to be proven."""
    came = proving.left(code)
    if came is None:
        return views.again(proving.elsewhere(), 404, in_this_browser=True)
    flow_id, kept = came
    try:
        flow, policy = views.load(flow_id)
    except NotFound as error:
        return waiting.anew(flow_id) or views.again(error, 404)
    step = proving.step_of(flow, policy)
    factor = proving.returning(flow, policy, code)

    def act() -> Any:
        return proving.came_back(flow, factor, kept) if factor is not None else None

    return views.acted(flow, policy, step, act)


@blueprint.get("/login/eid/<name>/start")
def begun_at_once(name: str) -> Any:
    """A sign-in that is at an upstream without anybody's click: for programs that try how we speak to
    it. Not where the installation does not say so.

    Whoever begins it elsewhere (OIDC Core §4) may name the issuer, and nothing of where it ends: the
    sign-in is this browser's own, and counted as every visit is.
    """
    if not services().settings.eid_start_addresses or _embedded():
        raise _not_here()
    flow, policy = views.load(views.new("/"))
    factor = proving.chosen(flow, policy, EID + name)
    if factor is None or not _meant(name, request.args.get("iss")):
        raise _not_here()
    step = proving.step_of(flow, policy)
    return views.acted(flow, policy, step, lambda: proving.answered(flow, factor))


def _embedded() -> bool:
    """Whether the browser says that this is not where somebody goes, but a part of a page."""
    said = request.headers
    return (
        said.get("Sec-Fetch-Mode", "navigate") != "navigate"
        or said.get("Sec-Fetch-Dest", "document") != "document"
    )


def _meant(name: str, issuer: str | None) -> bool:
    """Whether this is the upstream of that issuer; where none is named, it is."""
    if issuer is None:
        return True
    with services().db.read() as session:
        return upstreams.get(session, name).issuer == issuer


def _not_here() -> NotFound:
    return NotFound("not_here", "Không tìm thấy trang này.")
