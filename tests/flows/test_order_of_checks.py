"""The order of checks (docs/order-of-checks.md): of two faults in one request the first is told.

One fault for each check and endpoint where a single request can have it; each alone gives its own
answer, and with the next one in its column the answer stays the same. What a fault is told by comes
from the standards, not from the table: only the order is taken from there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from directory.entitlements import Installation
from directory.people import User
from idp.oidc import rate_limit
from idp.oidc.clients import API_SCOPES, AuthMethod, Client, GrantType, Options, ResponseType
from idp.oidc.grants import Grant
from idp.oidc.order import TABLE, Column, Section, checks, render_page
from tests.device_flow import Device
from tests.proving import Holding
from tests.relying_party import REDIRECT, Flow, Party, World, build_world
from tests.signed_requests import SECURE, key_for, public

NOBODYS = "https://nobody.example"
GRANTS = {
    Column.CODE: GrantType.CODE,
    Column.REFRESH: GrantType.REFRESH,
    Column.CLIENT: GrantType.CLIENT,
    Column.DEVICE_CODE: GrantType.DEVICE,
    Column.EXCHANGE: GrantType.EXCHANGE,
}
PATHS = {Column.PAR: "/oauth2/par", Column.DEVICE: "/oauth2/device_authorization"}
BASE = Options(minimum_eid_level=2, jwks=public(key_for("ES256")))
EVERY_GRANT = (GrantType.CODE, GrantType.REFRESH, GrantType.DEVICE, GrantType.EXCHANGE)
ASKING = {"response_type": "code id_token", "redirect_uri": SECURE}


@dataclass
class Case:
    """One request that passes every check of its column, until a fault changes it."""

    world: World
    browser: Any
    patch: pytest.MonkeyPatch
    column: Column
    columns: dict[str, Any] = field(default_factory=dict)
    """What its client is registered with, where that differs."""
    bound: bool = False
    """Whether what it brings belongs to a DPoP key."""
    allowed: bool = True
    """Whether somebody has let the device in."""
    signed_in: bool = True
    form: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str | None] = field(default_factory=dict)
    content: str = "application/x-www-form-urlencoded"
    late: list[Callable[["Case"], None]] = field(default_factory=list)
    """What happens after it was prepared."""
    party: Party = field(init=False)

    def answer(self) -> str:
        """What is told: ``error: description``, or the name of a page."""
        machine = self.column is Column.CLIENT
        grants = (GrantType.CLIENT,) if machine else EVERY_GRANT
        usual: dict[str, Any] = {"grant_types": grants, "options": BASE}
        usual |= (
            {"scopes": API_SCOPES, "redirect_uris": (), "options": Options()} if machine else {}
        )
        if self.column in (Column.AUTHORIZE, Column.PAR):
            usual |= {"grant_types": (GrantType.CODE, GrantType.IMPLICIT)}
            usual |= {"response_types": (ResponseType.CODE, ResponseType.CODE_ID_TOKEN)}
            usual |= {"redirect_uris": (SECURE,)}
        if self.column is Column.DEVICE:
            usual |= {"grant_types": (GrantType.CODE, GrantType.DEVICE)}
        self.party = self.world.register(**(usual | self.columns))
        self.world.sign_in(self.browser)
        prepared = self._prepared()
        for happens in self.late:
            happens(self)
        said = {k: v for k, v in (prepared | self.form).items() if v is not None}
        if self.column is Column.AUTHORIZE:
            if not self.signed_in:
                self.browser.delete_cookie("dinhdanh", domain="localhost")
            return _page(self.browser.get("/oauth2/authorize", query_string=said))
        basic = self.party.basic if self.party.secret else {}
        headers = {k: v for k, v in (basic | self.headers).items() if v is not None}
        if not self.party.secret:
            said = {"client_id": self.party.client_id} | said
        path = PATHS.get(self.column, "/oauth2/token")
        data: Any = said if self.content.endswith("urlencoded") else "{}"
        response = self.browser.post(path, data=data, headers=headers, content_type=self.content)
        told = response.get_json()
        return f"{told['error']}: {told.get('error_description', '')}" if "error" in told else "ok"

    def _prepared(self) -> dict[str, Any]:
        """A good request; what it brings was given a moment ago."""
        flow = Flow(self.browser, self.party, scope="openid profile")
        if self.column in (Column.AUTHORIZE, Column.PAR):
            return flow.query | ASKING
        holder = Holding(
            self.browser, self.party, scope="openid profile", clock=self.world.clock, nonce=None
        )
        given = holder if self.bound else flow
        grant = {"grant_type": GRANTS[self.column].value} if self.column in GRANTS else {}
        if self.column is Column.DEVICE:
            return {"scope": "openid profile"}
        if self.column is Column.CODE:
            jkt = {"dpop_jkt": key_for("ES256", "dpop").thumbprint()} if self.bound else {}
            code = flow.code(**jkt)
            return grant | {
                "code": code,
                "redirect_uri": REDIRECT,
                "code_verifier": flow.verifier,
            }
        if self.column is Column.REFRESH:
            return grant | {"refresh_token": given.tokens()["refresh_token"]}
        if self.column is Column.DEVICE_CODE:
            device = Device(self.browser, self.party).begin()
            if self.allowed:
                device.decide()
            return grant | {"device_code": device.answer["device_code"]}
        if self.column is Column.EXCHANGE:
            kind = "urn:ietf:params:oauth:token-type:access_token"
            token = given.tokens()["access_token"]
            return grant | {"subject_token": token, "subject_token_type": kind}
        return grant


def _page(response: Any) -> str:
    location = response.headers.get("Location", "")
    if location.startswith(SECURE):
        parts = urlsplit(location)
        told = {k: v[0] for k, v in parse_qs(parts.fragment or parts.query).items()}
        return f"{told['error']}: {told.get('error_description', '')}" if "error" in told else "ok"
    if location:
        return "page: sign-in"
    pages = {200: "consent", 403: "refused"}
    if response.status_code in pages:
        return f"page: {pages[response.status_code]}"
    return "page: " + response.text.split("<code>")[1].split("</code>")[0]


@dataclass(frozen=True)
class Fault:
    """What one check finds, and what it is told by."""

    told: str
    """The beginning of the answer."""
    makes: Callable[[Case], None]
    touches: frozenset[str]
    """Faults that touch the same cannot be in one request."""


def sent(told: str, **form: Any) -> Fault:
    """A parameter."""
    return Fault(told, lambda case: case.form.update(form), frozenset(form))


def named(told: str, **headers: str | None) -> Fault:
    """A header."""
    return Fault(told, lambda case: case.headers.update(headers), frozenset(headers))


def set_to(told: str, *also: str, **values: Any) -> Fault:
    """Something else about the case."""

    def make(case: Case) -> None:
        for name, value in values.items():
            setattr(case, name, value)

    return Fault(told, make, frozenset(values) | frozenset(also))


def later(told: str, happens: Callable[[Case], None], *touches: str) -> Fault:
    """What happens meanwhile."""
    return Fault(told, lambda case: case.late.append(happens), frozenset(touches))


def registered(told: str, **options: Any) -> Fault:
    """The client's registration."""

    def make(case: Case) -> None:
        before = case.columns.get("options", BASE)
        stored = {**before.stored, **options}
        case.columns["options"] = Options.of(stored)

    return Fault(told, make, frozenset(options))


def _crowded(case: Case) -> None:
    case.columns["auth_method"] = AuthMethod.NONE
    case.patch.setattr(rate_limit, "MOST", 0)


def _crowded_by_proofs(case: Case) -> None:
    """A public client that brings a proof, and nothing that we have made."""
    artefacts = ("code", "refresh_token", "device_code", "subject_token")
    case.late.append(lambda c: c.world.change(Client, c.party.id, auth_method="none"))
    case.late.append(lambda c: c.patch.setattr(rate_limit, "MOST", 0))
    case.headers |= {"Authorization": None, "DPoP": "rubbish"}
    case.late.append(lambda c: c.form.update(client_id=c.party.client_id))
    case.form |= dict.fromkeys(artefacts, "x")


def _public(case: Case) -> None:
    case.world.change(Client, case.party.id, auth_method="none")
    case.form["client_id"] = case.party.client_id


def _with_another_secret(case: Case) -> None:
    other = Party(0, case.party.client_id, "secret")
    case.headers.update(other.basic)


def _without_grant_type(case: Case) -> None:
    case.world.change(Client, case.party.id, grant_types=["password"])


def _unconfirmed(case: Case) -> None:
    case.world.change(Installation, 1, unconfirmed_since=case.world.clock())


def _stronger(case: Case) -> None:
    stored = {**BASE.stored, "minimum_acr": "urn:vn:aal:2"}
    case.world.change(Client, case.party.id, options=Options.of(stored).stored)


def _no_longer_entitled(case: Case) -> None:
    case.world.change(User, case.world.user_id, eid_level=None)


def _revoked(case: Case) -> None:
    for grant in case.world.all(Grant):
        case.world.change(Grant, grant.id, revoked_at=case.world.clock())


RESOURCE = sent("invalid_target: ", resource=NOBODYS)
SCOPE = sent("invalid_scope: ", scope="nonsense")
WEAK = later("invalid_grant: The sign-in is weaker", _stronger, "acr")
LOST = later("invalid_grant: ", _no_longer_entitled, "eid")
FAULTS: dict[str, Fault | dict[Column, Fault]] = {
    "form_encoded": set_to("invalid_request: The body must be", content="application/json"),
    "each_once": {
        Column.AUTHORIZE: sent("page: invalid_request", login_hint=["a", "b"]),
        Column.PAR: sent("invalid_request: A parameter is repeated", login_hint=["a", "b"]),
    }
    | {
        column: sent("invalid_request: A parameter is repeated", x=["a", "b"])
        for column in (Column.DEVICE, *GRANTS)
    },
    "grant_type_known": sent("unsupported_grant_type: ", grant_type="password"),
    "client_known": sent("page: client_unknown", client_id="nobody"),
    "pushed_request_found": Fault(
        "page: invalid_request_uri",
        lambda case: case.form.update(
            request_uri="urn:ietf:params:oauth:request_uri:ddp_x", redirect_uri=None
        ),
        frozenset({"request_uri", "request", "redirect_uri"}),
    ),
    "client_authenticated": later("invalid_client: ", _with_another_secret, "Authorization"),
    "device_flow_registered": Fault(
        "unauthorized_client: ",
        lambda case: case.columns.update(grant_types=(GrantType.CODE,)),
        frozenset({"grant_types"}),
    ),
    "grant_type_registered": later("unauthorized_client: ", _without_grant_type, "grant_types"),
    "keeps_a_secret": Fault(
        "unauthorized_client: The client may not exchange",
        lambda case: (
            case.headers.update(Authorization=None),
            case.late.append(_public),
        )[0],
        frozenset({"Authorization"}),
    ),
    "source_counted": Fault("temporarily_unavailable: Too many", _crowded, frozenset({"method"})),
    "key_proven": named("invalid_dpop_proof: ", DPoP="rubbish"),
    "backup_confirmed": later("temporarily_unavailable: A backup", _unconfirmed, "restored"),
    "request_itself_pushed": sent(
        "invalid_request: A request_uri cannot", request_uri="urn:ietf:params:oauth:request_uri:x"
    ),
    "signed_parameters": sent("invalid_request_object: ", request="x"),
    "code_bound_to_key": named("invalid_dpop_proof: ", DPoP="rubbish"),
    "redirect_uri_registered": {
        Column.AUTHORIZE: sent("page: redirect_uri", redirect_uri=NOBODYS),
        Column.PAR: sent("invalid_request: The redirect_uri", redirect_uri=NOBODYS),
    },
    # What counts is then what the browser brought, also where errors are told.
    "faultless": Fault(
        "invalid_request_object: ",
        lambda case: case.form.update(request="x"),
        frozenset({"request", "redirect_uri"}),
    ),
    "pushed_where_it_must": registered(
        "invalid_request: This client must push", require_pushed_authorization_requests=True
    ),
    "signed_where_it_must": registered(
        "invalid_request: This client must sign", require_signed_request_object=True
    ),
    "code_redeemable": sent("invalid_grant: Invalid code", code="ddc_x"),
    "redirect_uri_same": sent("invalid_grant: The redirect_uri is another", redirect_uri=NOBODYS),
    "verifier_fits": sent("invalid_grant: Missing code_verifier", code_verifier=None),
    "code_by_its_key": set_to(
        "invalid_grant: The code belongs to another DPoP", "DPoP", bound=True
    ),
    "refresh_token_usable": sent("invalid_grant: ", refresh_token="ddr_x"),
    "refresh_token_by_its_key": set_to("invalid_request: Proof of possession", "DPoP", bound=True),
    "device_code_known": sent("invalid_request: Missing device_code", device_code=None),
    "decided": set_to("authorization_pending: ", allowed=False),
    "device_code_redeemable": later("invalid_grant: ", _revoked, "allowed"),
    "understood": sent("invalid_target: Tokens are not issued", audience=NOBODYS),
    "subject_token_good": sent("invalid_request: The subject_token is not", subject_token="x"),
    "subject_token_by_its_key": set_to(
        "invalid_request: The subject_token belongs", "DPoP", bound=True
    ),
    "no_registration": sent("registration_not_supported: ", registration="{}"),
    "response_mode_fits": sent("invalid_request: Unknown response_mode", response_mode="x"),
    "response_type_known": sent("unsupported_response_type: ", response_type="nonsense"),
    "response_type_registered": sent("unauthorized_client: ", response_type="id_token"),
    "key_well_formed": sent("invalid_request: Invalid dpop_jkt", dpop_jkt="short"),
    "claims_well_formed": sent("invalid_request: Invalid claims", claims="["),
    "scope_allowed": SCOPE,
    "device_scope_allowed": SCOPE,
    "own_scope_allowed": SCOPE,
    "scope_granted": SCOPE,
    "scope_of_subject": SCOPE,
    "nonce_given": sent("invalid_request: Missing nonce", nonce=None),
    "challenge_given": sent("invalid_request: PKCE", code_challenge_method="plain"),
    "resource_allowed": RESOURCE,
    "resource_granted": RESOURCE,
    "resource_of_subject": RESOURCE,
    "prompt_known": sent("invalid_request: Invalid prompt", prompt="nonsense"),
    "somebody_meant": sent("invalid_request: Invalid id_token_hint", id_token_hint="x"),
    "max_age_well_formed": sent("invalid_request: Invalid max_age", max_age="-1"),
    "signed_in": set_to("page: sign-in", signed_in=False),
    "still_strong_enough": WEAK,
    "entitled": later("page: refused", _no_longer_entitled, "eid"),
    "still_entitled": LOST,
    "subject_still_fit": later("invalid_request: The subject_token is not", _no_longer_entitled),
    "consented": sent("page: consent", prompt="consent"),
}
FAULTS["proof_counted"] = Fault(
    "temporarily_unavailable: Too many",
    _crowded_by_proofs,
    frozenset({"code", "refresh_token", "device_code", "subject_token", "DPoP", "Authorization"}),
)
FAULTLESS = {
    "signed_parameters_or_fault": "What is wrong is told by ``faultless``.",
    "just_agreed": "It finds out, and refuses nothing.",
    "request_used_up": "Only for whoever comes at the same moment.",
    "code_used_up": "Only for whoever comes at the same moment.",
    "generation_used_up": "Only for whoever comes at the same moment.",
    "device_code_used_up": "Only for whoever comes at the same moment.",
}


def _fault(column: Column, check: str) -> Fault | None:
    found = FAULTS.get(check)
    return found.get(column) if isinstance(found, dict) else found


def _column(column: Column) -> list[tuple[str, Fault]]:
    names = [check.__name__ for check in checks(frozenset({column}), tuple(Section))]
    return [(name, fault) for name in names if (fault := _fault(column, name)) is not None]


def _alone() -> Iterator[Any]:
    for column in Column:
        for name, fault in _column(column):
            yield pytest.param(column, fault, id=f"{column.value}-{name}")


def _pairs() -> Iterator[Any]:
    """Each fault with the next one in its column that can be in the same request."""
    for column in Column:
        found = _column(column)
        for place, (name, first) in enumerate(found):
            for other, second in found[place + 1 :]:
                if not first.touches & second.touches and first.told != second.told:
                    yield pytest.param(column, first, second, id=f"{column.value}-{name}-{other}")
                    break


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(response_types=[t.value for t in ResponseType])


@pytest.fixture
def case(
    services: Any, clock: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Column], Case]:
    world = build_world(services, clock)
    return lambda column: Case(world, client, monkeypatch, column)


def test_the_page_is_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "order-of-checks.md"
    assert page.read_text("utf-8") == render_page()


def test_every_check_has_a_fault_or_a_reason_for_none() -> None:
    rows = [check for rows in TABLE.values() for check, _ in rows]
    names = [check.__name__ for check in rows]
    assert len(set(names)) == len(names)
    assert {*FAULTS, *FAULTLESS} == set(names)
    assert not FAULTS.keys() & FAULTLESS.keys()
    assert all((check.__doc__ or "").strip() for check in rows)


BEFORE = {
    "RFC 6749 §4.1.2.1: nothing is told to an address before client and address are known": (
        ("client_known", "redirect_uri_registered"),
        ("redirect_uri_registered", "faultless", "signed_in", "consented", "request_used_up"),
    ),
    "RFC 9126 §2.1: the client, then no request_uri, then all that the authorization endpoint asks": (
        (
            "client_authenticated",
            "request_itself_pushed",
            "redirect_uri_registered",
            "prompt_known",
        ),
    ),
    "RFC 9101 §6.3: only what was signed is judged": (
        ("signed_parameters", "redirect_uri_registered"),
        ("signed_parameters_or_fault", "redirect_uri_registered"),
    ),
    "a source is counted before what costs: a row, a signature": (
        ("source_counted", "request_itself_pushed", "resource_allowed"),
        ("proof_counted", "key_proven"),
    ),
    "RFC 6749 §10.5, RFC 9700 §4.14.2: what may be used once is used up last": (
        ("still_entitled", "code_used_up"),
        ("still_entitled", "generation_used_up"),
        ("still_entitled", "device_code_used_up"),
        ("consented", "request_used_up"),
    ),
}


@pytest.mark.parametrize(("why", "chains"), BEFORE.items(), ids=str)
def test_what_must_come_first_comes_first(why: str, chains: tuple[tuple[str, ...], ...]) -> None:
    places = [check.__name__ for rows in TABLE.values() for check, _ in rows]
    for chain in chains:
        assert sorted(chain, key=places.index) == list(chain), why


def test_nothing_follows_what_is_used_up() -> None:
    assert list(TABLE) == list(Section)
    assert list(Section)[-1] is Section.SPENT


@pytest.mark.parametrize("column", Column)
def test_a_request_without_a_fault_passes(case: Callable[[Column], Case], column: Column) -> None:
    assert case(column).answer() == "ok"


@pytest.mark.parametrize(("column", "fault"), list(_alone()))
def test_a_fault_is_told(case: Callable[[Column], Case], column: Column, fault: Fault) -> None:
    made = case(column)
    fault.makes(made)
    assert made.answer().startswith(fault.told)


@pytest.mark.parametrize(("column", "first", "second"), list(_pairs()))
def test_of_two_faults_the_first_is_told(
    case: Callable[[Column], Case], column: Column, first: Fault, second: Fault
) -> None:
    made = case(column)
    second.makes(made)
    first.makes(made)
    assert made.answer().startswith(first.told)


UNGRANTED = {"scope": "changes:read"}


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [
        # What endpoints disagreed about: the client's rights come before what it wants …
        (Column.CODE, "grant_type_registered", "key_proven"),
        (Column.AUTHORIZE, "response_type_registered", "claims_well_formed"),
        # … who calls before what it brings, and whose that is before what is wanted for it …
        (Column.DEVICE_CODE, "client_authenticated", "device_code_known"),
        (Column.REFRESH, "refresh_token_by_its_key", "scope_granted"),
        # … what costs no SELECT before what may, and that it may be had at all before whether she
        # may have it.
        (Column.AUTHORIZE, "scope_allowed", "resource_allowed"),
        (Column.PAR, "scope_allowed", "resource_allowed"),
        (Column.EXCHANGE, "scope_of_subject", "resource_of_subject"),
        (Column.EXCHANGE, "resource_of_subject", "subject_still_fit"),
    ],
)
def test_endpoints_agree(
    case: Callable[[Column], Case], column: Column, first: str, second: str
) -> None:
    told, later_one = _fault(column, first), _fault(column, second)
    assert told is not None
    assert later_one is not None
    made = case(column)
    later_one.makes(made)
    told.makes(made)
    assert made.answer().startswith(told.told)


def test_a_client_without_the_right_has_no_proof_remembered(
    case: Callable[[Column], Case],
) -> None:
    """One row for each proof: not for whoever may not use the grant type."""
    from directory.base.replay_cache import UsedOnce

    made = case(Column.CLIENT)
    made.late.append(_without_grant_type)
    made.late.append(
        lambda c: c.headers.update(
            DPoP=Holding(c.browser, c.party, clock=c.world.clock).proof("POST", "/oauth2/token")
        )
    )
    assert made.answer().startswith("unauthorized_client")
    assert made.world.all(UsedOnce) == []
