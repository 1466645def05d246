"""An authorization request: read, checked, and the errors that go back with it."""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from werkzeug import Request

from dinhdanh.eid_simulator.clients import Client
from dinhdanh.eid_simulator.faults import registry
from dinhdanh.eid_simulator.sign_ins import Asked, Choice, chosen
from dinhdanh.eid_simulator.simulation import Simulation
from dinhdanh.eid_simulator.words import Said

HINT = "sim?"
"""How a ``login_hint`` begins that is meant for the simulator."""
PREFIX = "sim_"
"""How parameters begin that are meant for the simulator."""


class ForPeople(Exception):
    """A request that cannot be answered to its client: said on a page (RFC 6749 4.1.2.1)."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.en)
        self.said = said


class ForClient(Exception):
    """An error that goes back to the client."""

    def __init__(self, asked: Asked, error: str, description: str = "") -> None:
        super().__init__(error)
        self.asked, self.error, self.description = asked, error, description


@dataclass(frozen=True)
class Understood:
    """What a profile reads in a request beside the parameters of OAuth."""

    nonce: bool = True
    pkce: bool = True
    prompt: bool = True
    form_post: bool = True


def parameters(request: Request) -> dict[str, str]:
    """The parameters, each once. Raises ForPeople for one that stands there twice."""
    source = request.form if request.method == "POST" else request.args
    for name, values in source.lists():
        if len(values) > 1 and not name.startswith(PREFIX):
            raise ForPeople(
                Said(f"Tham số {name} có mặt hai lần.", f"The parameter {name} stands there twice.")
            )
    return {name: values[0] for name, values in source.lists()}


def read(
    request: Request, simulation: Simulation, provider: str, understood: Understood
) -> tuple[Asked, dict[str, str]]:
    """The checked request and all its parameters. Raises ForPeople and ForClient."""
    said = parameters(request)
    client = _client(said, simulation)
    asked = Asked(
        provider=provider,
        client=client,
        redirect_uri=said["redirect_uri"],
        state=said.get("state"),
        nonce=said.get("nonce") if understood.nonce else None,
        challenge=said.get("code_challenge") if understood.pkce else None,
        scope=said.get("scope", ""),
        acr_values=tuple(said.get("acr_values", "").split()),
        by_post=understood.form_post and said.get("response_mode") == "form_post",
        max_age=_max_age(said) if understood.prompt else None,
    )
    _refuse_what_is_wrong(asked, said, understood)
    return asked, said


def _client(said: dict[str, str], simulation: Simulation) -> Client:
    client = simulation.clients.get(said.get("client_id", ""))
    if client is None:
        raise ForPeople(
            Said("Không biết ứng dụng này (client_id).", "This client is not known (client_id).")
        )
    if not client.may_return_to(said.get("redirect_uri", "")):
        raise ForPeople(
            Said(
                "Địa chỉ quay về (redirect_uri) không phải địa chỉ đã đăng ký.",
                "The redirect_uri is not one that is registered.",
            )
        )
    return client


def _max_age(said: dict[str, str]) -> int | None:
    text = said.get("max_age", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _refuse_what_is_wrong(asked: Asked, said: dict[str, str], understood: Understood) -> None:
    if said.get("response_type") != "code":
        raise ForClient(asked, "unsupported_response_type", "code")
    if "openid" not in asked.scope.split():
        raise ForClient(asked, "invalid_scope", "openid")
    if said.get("response_mode", "query") not in ("query", "form_post"):
        raise ForClient(asked, "invalid_request", "response_mode")
    for name in ("request", "request_uri"):
        if name in said:
            raise ForClient(asked, f"{name}_not_supported")
    if asked.challenge and said.get("code_challenge_method") != "S256":
        raise ForClient(asked, "invalid_request", "code_challenge_method: S256")
    if understood.prompt and "max_age" in said and asked.max_age is None:
        raise ForClient(asked, "invalid_request", "max_age")


def choice_in(
    said: dict[str, str], request: Request, simulation: Simulation
) -> tuple[Choice | None, bool]:
    """What the request itself says about the person and the faults, and whether no page is
    wanted. Raises ForPeople for a person or a fault that does not exist.
    """
    hint = said.get("login_hint", "")
    if hint.startswith(HINT):
        pairs = parse_qsl(hint.removeprefix(HINT))
        named = [value for name, value in pairs if name == "fault"]
        values, prefix = dict(pairs), ""
    else:
        source = request.form if request.method == "POST" else request.args
        named = source.getlist(f"{PREFIX}fault")
        values, prefix = said, PREFIX
        if not any(name.startswith(PREFIX) for name in said):
            return None, False
    try:
        choice = chosen(values, registry.faults_named(named), prefix=prefix)
    except registry.UnknownFault as exc:
        raise ForPeople(
            Said(f"Không có lỗi mô phỏng nào tên {exc}.", f"There is no fault of the name {exc}.")
        ) from exc
    if choice.person and choice.person not in simulation.people:
        raise ForPeople(
            Said(f"Không có ai tên khóa {choice.person}.", f"Nobody has the key {choice.person}.")
        )
    return choice, values.get(f"{prefix}auto") == "1"
