"""The SCIM connector against the demonstration application's endpoint, over a real socket."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from connectors.accounts.contract import Action, Attribute, Connector, Operation
from connectors.accounts.scim.connector import ScimConnector, ScimSettings
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import Outbound
from dinhdanh import ports
from directory.base.config import Settings
from tests.contract.connector_contract import ConnectorContract, but, disabled, wanted
from tests.scim_fixture import TOKEN, ScimServer, serving

MakeConnector = Callable[..., ScimConnector]


@pytest.fixture
def connect() -> Iterator[MakeConnector]:
    """Make connectors to a local port; their pools are closed afterwards."""
    made: list[Outbound] = []

    def make(port: int, *, token: str = TOKEN, timeout: float = 10, **others: Any) -> ScimConnector:
        outbound = Outbound(
            Settings(outbound_allow=[f"127.0.0.1:{port}"], outbound_timeout=timeout)
        )
        made.append(outbound)
        settings = ScimSettings(url=f"http://127.0.0.1:{port}/scim/v2", **others)
        return ScimConnector(settings, token, outbound)

    yield make
    for outbound in made:
        outbound.close()


class TestScim(ConnectorContract):
    @pytest.fixture
    def connector(self, scim_server: ScimServer, connect: MakeConnector) -> Connector:
        return connect(scim_server.port, page_size=3)

    @pytest.fixture
    def wrong_secret(self, scim_server: ScimServer, connect: MakeConnector) -> Connector:
        return connect(scim_server.port, token="another")

    @pytest.fixture
    def away(self, connect: MakeConnector) -> Connector:
        return connect(ports.reserve().first)

    @pytest.fixture
    def silent(self, silent_port: int, connect: MakeConnector) -> Connector:
        return connect(silent_port, timeout=1)


def test_an_account_made_by_hand_is_taken_over_only_where_that_is_allowed(
    scim_server: ScimServer, connect: MakeConnector
) -> None:
    connector = connect(scim_server.port)
    state = wanted()
    by_hand = _post_by_hand(connector, state.username)
    with pytest.raises(Rejected):
        connector.apply(Operation(state))
    outcome = connect(scim_server.port, adopt_by_username=True).apply(Operation(state))
    assert outcome.remote_id == by_hand
    seen = connector.probe(by_hand)
    assert seen is not None
    assert connector.differences(state, seen) == ()


def _post_by_hand(connector: ScimConnector, username: str) -> str:
    answer = connector._wire.http.post(
        f"{connector._settings.url}/Users",
        json={"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": username},
    )
    return str(answer.json()["id"])


def test_what_the_application_keeps_of_its_own_survives_an_update(
    scim_server: ScimServer, connect: MakeConnector
) -> None:
    connector = connect(scim_server.port)
    state = wanted()
    key = connector.apply(Operation(state)).remote_id
    connector._wire.http.patch(
        f"{connector._settings.url}/Users/{key}",
        json={
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "add", "path": "nickName", "value": "chị Ánh"}],
        },
    )
    connector.apply(Operation(but(state, title="Phó Chủ tịch"), key))
    (stored,) = scim_server.accounts()
    assert (stored["nickName"], stored["title"]) == ("chị Ánh", "Phó Chủ tịch")


class Scripted:
    """A target that answers as a test tells it to, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Request], Response]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.asked.append((request.method, request.path))
        return self.answer(request)(environ, start_response)


def scim(body: dict[str, Any], status: int = 200, **headers: str) -> Response:
    """A SCIM answer."""
    import json

    response = Response(json.dumps(body), status, content_type="application/scim+json")
    response.headers.extend(headers)
    return response


EMPTY = {
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
    "totalResults": 0,
    "Resources": [],
}


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_target_says_when_to_come_back(status: int, connect: MakeConnector) -> None:
    def busy(request: Request) -> Response:
        return Response("busy", status, headers={"Retry-After": "37"})

    with serving(Scripted(busy)) as port, pytest.raises(Transient) as put_off:
        connect(port).apply(Operation(wanted()))
    assert put_off.value.retry_after == timedelta(seconds=37)


@pytest.mark.parametrize("status", [401, 403, 302])
def test_a_refused_connection_is_for_the_owner_to_mend(status: int, connect: MakeConnector) -> None:
    def refuse(request: Request) -> Response:
        return Response("", status, headers={"Location": "http://127.0.0.1:1/"})

    with serving(Scripted(refuse)) as port, pytest.raises(Misconfigured):
        connect(port).apply(Operation(wanted()))


def test_a_refusal_carries_what_the_target_says(connect: MakeConnector) -> None:
    def refuse(request: Request) -> Response:
        if request.method == "GET":
            return scim(EMPTY) if "Users" in request.path else Response("", 404)
        error = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": "400",
            "detail": "title is too long",
        }
        return scim(error, 400)

    with serving(Scripted(refuse)) as port, pytest.raises(Rejected) as refused:
        connect(port).apply(Operation(wanted()))
    assert "title is too long" in refused.value.reason
    assert TOKEN not in refused.value.reason


def test_a_target_that_ignores_filters_and_cannot_be_read_whole_gets_no_account(
    connect: MakeConnector,
) -> None:
    def everybody(request: Request) -> Response:
        if "Users" not in request.path:
            return Response("", 404)
        user = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "1",
            "userName": "somebody",
        }
        return scim(EMPTY | {"totalResults": 1000, "Resources": [user]})

    target = Scripted(everybody)
    with serving(target) as port, pytest.raises(Misconfigured):
        connect(port).apply(Operation(wanted()))
    assert {method for method, _ in target.asked} == {"GET"}


def test_an_answer_that_is_no_scim_is_refused(connect: MakeConnector) -> None:
    def page(request: Request) -> Response:
        return Response("<html>", 200, content_type="text/html")

    with serving(Scripted(page)) as port, pytest.raises(Rejected):
        connect(port).apply(Operation(wanted()))


def test_a_created_account_costs_one_look_up_and_one_create(
    scim_server: ScimServer, connect: MakeConnector
) -> None:
    connector = connect(scim_server.port)
    connector.test()  # what the service can do is asked once
    with scim_server.database.transaction() as connection:
        connection.execute("DELETE FROM activity")
    key = connector.apply(Operation(wanted())).remote_id
    assert key is not None
    connector.probe(key)
    with scim_server.database.transaction() as connection:
        rows = connection.execute("SELECT method FROM activity ORDER BY id").fetchall()
    assert [row["method"] for row in rows] == ["GET", "POST", "GET"]


class _Putting:
    """The application behind a door that says it knows neither PATCH nor our extension."""

    def __init__(self, inner: Any, **config: Any) -> None:
        self.inner = inner
        self.methods: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.methods.append(request.method)
        if request.path.endswith("/ServiceProviderConfig"):
            said = {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "patch": {"supported": False},
            }
            return scim(said)(environ, start_response)
        if request.method == "PATCH":
            return Response("", 501)(environ, start_response)
        return self.inner(environ, start_response)


def test_a_target_without_patch_is_updated_by_put(
    scim_server: ScimServer, connect: MakeConnector
) -> None:
    import httpx2

    def forward(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        answer = httpx2.request(
            request.method,
            f"http://127.0.0.1:{scim_server.port}{request.path}",
            params=list(request.args.items(multi=True)),
            headers={k: v for k, v in request.headers if k not in ("Host", "Content-Length")},
            content=request.get_data(),
        )
        kind = answer.headers.get("Content-Type")
        return Response(answer.content, answer.status_code, content_type=kind)(
            environ, start_response
        )

    door = _Putting(forward)
    with serving(door) as port:
        connector = connect(port)
        state = wanted()
        key = connector.apply(Operation(state)).remote_id
        assert key is not None
        moved = but(state, department="Phòng Kinh tế", phone=None)
        assert connector.apply(Operation(moved, key)).action is Action.UPDATED
        seen = connector.probe(key)
        assert seen is not None
        assert connector.differences(moved, seen) == ()
        assert connector.apply(Operation(disabled(state), key)).action is Action.DISABLED
        seen = connector.probe(key)
        assert seen is not None
        assert seen.attributes[Attribute.DEPARTMENT] == "Phòng Kinh tế"
    assert "PATCH" not in door.methods
    assert "PUT" in door.methods
