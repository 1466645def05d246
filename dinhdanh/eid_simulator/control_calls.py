"""The control API over HTTP: JSON in, JSON out.

A body must be ``application/json``, which no page of another site can send without being asked
first (Fetch, section 3.2.2); where others can reach the simulator a token is wanted, too.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from werkzeug import Request

from dinhdanh.eid_simulator.artefacts import Answer, in_json, refused
from dinhdanh.eid_simulator.clients import LOOPBACK
from dinhdanh.eid_simulator.control import Control
from dinhdanh.eid_simulator.faults.registry import FAULTS
from dinhdanh.eid_simulator.simulation import Simulation

PREFIX = "/control/"


def answered(request: Request, path: str, control: Control, simulation: Simulation) -> Answer:
    """One call; ``path`` is what follows ``PREFIX``."""
    settings = simulation.settings
    if not settings.control:
        return refused("not_found", "the control API is off", 404)
    if settings.control_token is None and not _meant(request, simulation):
        return refused("not_allowed", "Host", 403)
    if settings.control_token is not None and not _brings(request, settings.control_token):
        return refused("not_allowed", "Authorization: Bearer with the control token", 401)
    if request.method == "GET":
        read = _READ.get(path)
        return in_json(read(control, simulation)) if read else refused("not_found", path, 404)
    write = _WRITE.get(path)
    if request.method != "POST" or write is None:
        return refused("not_found", path, 404)
    if request.mimetype != "application/json":
        return refused("invalid_request", "Content-Type: application/json is expected", 415)
    try:
        body = json.loads(request.get_data() or b"{}")
        return in_json(write(control, body))
    except (ValueError, TypeError, KeyError) as exc:
        return refused("invalid_request", str(exc))


def _meant(request: Request, simulation: Simulation) -> bool:
    """Whether the caller knows whom she calls: a page whose host name has been made to mean this
    machine does not (DNS rebinding).
    """
    named = urlsplit(f"//{request.host}").hostname
    return named in (*LOOPBACK, urlsplit(simulation.base).hostname)


def _brings(request: Request, token: str) -> bool:
    brought = request.headers.get("Authorization", "")
    return secrets.compare_digest(brought.encode(), f"Bearer {token}".encode())


def _next(control: Control, body: Any) -> dict[str, Any]:
    return asdict(control.next(**body))


def _always(control: Control, body: Any) -> dict[str, Any]:
    return {"standing": control.always(body["faults"])}


def _clients(control: Control, body: Any) -> dict[str, Any]:
    return {"client_id": control.register(body).client_id}


def _people(control: Control, body: Any) -> dict[str, Any]:
    return {"people": control.inhabit(body)}


def _down(control: Control, body: Any) -> dict[str, Any]:
    control.down(float(body["seconds"]))
    return {}


def _rotate(control: Control, body: Any) -> dict[str, Any]:
    control.rotate(body["provider"])
    return {}


def _clear(control: Control, _body: Any) -> dict[str, Any]:
    control.clear()
    return {}


def _faults() -> list[dict[str, Any]]:
    return [
        {
            "code": fault.code,
            "profiles": fault.profiles,
            "per_sign_in": fault.per_sign_in,
            "expected": fault.expected,
            "does": fault.does._asdict(),
            "advice": fault.advice._asdict(),
        }
        for fault in FAULTS.values()
    ]


def _everybody(simulation: Simulation) -> list[dict[str, Any]]:
    return [
        asdict(person) | {"note": person.note._asdict()} for person in simulation.people.values()
    ]


_READ: dict[str, Callable[[Control, Simulation], Any]] = {
    "calls": lambda control, _: control.calls(),
    "configuration": lambda control, _: control.documents(),
    "faults": lambda _, __: _faults(),
    "people": lambda _, simulation: _everybody(simulation),
}
_WRITE: dict[str, Callable[[Control, Any], Any]] = {
    "always": _always,
    "clear": _clear,
    "clients": _clients,
    "down": _down,
    "next": _next,
    "people": _people,
    "rotate": _rotate,
}
