"""What a page costs, and what anybody may have us keep, has a bound; rights are asked first."""

import secrets
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.units import OrgUnit
from tests import hr_world
from tests.browser_client import hidden_fields, open_login, submit
from tests.factories import make_unit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.relying_party import counted


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


# ---- the tree --------------------------------------------------------------------------------


def _wide(hr: Hr, many: int) -> list[int]:
    """So many communes with an office each, below the province."""
    with hr.services.db.write() as session:
        root = session.get_one(OrgUnit, hr.units["root"])
        made = [make_unit(session, f"Xã Quảng số {n:03}", parent=root) for n in range(many)]
        for unit in made:
            make_unit(session, "Văn phòng", parent=unit, legal_person=False, tier="internal")
        return [unit.id for unit in made]


def _cost(hr: Hr, browser: Any, opened: list[Any]) -> tuple[int, str]:
    with counted(hr.services) as cost:
        page = browser.get("/console/units", query_string={"open": opened})
    assert page.status_code == 200
    return sum(cost.values()), page.text


@pytest.mark.both_databases
def test_a_tree_costs_the_same_however_much_of_it_is_opened(hr: Hr) -> None:
    ids, browser = _wide(hr, 60), hr.browser("officer")
    root = hr.units["root"]
    few, _ = _cost(hr, browser, [root, ids[0]])
    for opened in (
        [root, *ids],
        [root] * 500,
        [root, *range(10**6, 10**6 + 500)],
        ["x", "-1", "9" * 15, root],
    ):
        many, _ = _cost(hr, browser, opened)
        assert many <= few + 2
    folded, _ = _cost(hr, browser, [])
    assert folded <= few + 2


def test_a_tree_opens_what_was_asked_for_and_no_page_grows_without_end(hr: Hr) -> None:
    ids, browser = _wide(hr, 400), hr.browser("officer")
    root = hr.units["root"]
    _, page = _cost(hr, browser, [root, ids[3], ids[7]])
    assert page.count("Văn phòng") == 2
    _, page = _cost(hr, browser, [root, *ids])
    assert page.count("Văn phòng") < 100
    assert len(page) < 2_000_000
    # What lies below something folded is not shown, and costs nothing.
    _, page = _cost(hr, browser, [ids[3]])
    assert "Văn phòng" not in page


def test_a_tree_shows_nothing_outside_the_reach_that_is_asked_to_open(hr: Hr) -> None:
    browser = hr.browser("officer_b")
    _, page = _cost(hr, browser, [hr.units["root"], hr.units["a"], hr.units["b"]])
    assert "Phòng Kinh tế" not in page
    assert "Hà Trung" not in page
    assert "Nga Sơn" in page


# ---- units that are not hers -------------------------------------------------------------------


def test_a_list_of_people_names_no_unit_outside_the_reach(hr: Hr) -> None:
    browser = hr.browser("officer_b")
    unknown = browser.get("/console/people?unit=999999")
    for unit in ("a", "room", "root"):
        for path in ("/console/people", "/console/people.csv"):
            page = browser.get(f"{path}?unit={hr.units[unit]}")
            assert page.status_code == unknown.status_code == 404
            said = text_of(page.text)
            assert not any(name in said for name in ("Hà Trung", "Phòng Kinh tế", "Thanh Hóa"))
    own = browser.get(f"/console/people?unit={hr.units['b']}")
    assert own.status_code == 200
    assert "Nga Sơn" in own.text


# ---- rights first ------------------------------------------------------------------------------


def _end_roles(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE admin_role SET valid_to = :day WHERE client_id IS NOT NULL"),
            {"day": hr.clock().date()},
        )


def test_a_key_is_no_answer_to_whoever_has_lost_her_rights(hr: Hr) -> None:
    api, body = hr.api(hr.token(unit="a")), {"kind": "suspend", "user": hr.names["lan"]}
    asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    assert api.post("/api/v1/changes", asked, key="k1").status_code == 201
    assert api.post("/api/v1/changes", asked, key="k1").status_code == 201
    _end_roles(hr)
    for again in (asked, asked | {"user": hr.names["hien"]}):
        answer = api.post("/api/v1/changes", again, key="k1")
        assert answer.status_code == 403, answer.text
        assert answer.json["code"] == "not_allowed"


@pytest.mark.parametrize(
    "wrong",
    [
        {"position": "KHONG-CO"},
        {"person": {"full_name": "Ai Đó", "citizen_number": "12"}},
        {"person": {"full_name": ""}},
        {"person": None},
        {"decision": {"number": "1"}},
        {"effective_on": "hôm nay"},
        {"unknown": 1},
    ],
    ids=lambda wrong: next(iter(wrong)) + str(len(str(wrong))),
)
def test_a_join_elsewhere_is_refused_before_anything_of_it_is_judged(hr: Hr, wrong: Any) -> None:
    person = {"full_name": "Ai Đó", "citizen_number": "038123456789"}
    body = {"kind": "join", "to_unit": "gso:14758", "position": "CV", "person": person} | wrong
    answer = hr.api(hr.token(unit="b")).post("/api/v1/changes/preview", body)
    assert answer.status_code == 403, answer.text
    assert answer.json["missing"] == "destination"
    nobody = hr.api(hr.token(role=None)).post("/api/v1/changes/preview", body)
    assert nobody.status_code == 403
    own = hr.api(hr.token(unit="a")).post("/api/v1/changes/preview", body)
    assert own.status_code == 422, own.text


# ---- what nobody has signed in for -------------------------------------------------------------


def _rows(hr: Hr) -> dict[str, int]:
    return {table: len(rows) for table, rows in hr.dump().items()}


@pytest.mark.both_databases
def test_asking_for_the_sign_in_page_stores_nothing(hr: Hr) -> None:
    before = _rows(hr)
    long_one = "/portal/" + "ạ" * 2_500
    for n in range(30):
        stranger = hr.app.test_client()
        for path in (f"/portal/profile?n={n}", "/console/people?q=lan", long_one, "//evil", ""):
            page = open_login(stranger, path)
            assert page.status_code == 200
            assert 'name="password"' in page.text
        stranger.get("/login?prompt=login", follow_redirects=True)
    assert _rows(hr) == before


def test_a_wrong_password_stores_no_sign_in_either(hr: Hr) -> None:
    stranger = hr.app.test_client()
    page = open_login(stranger, "/portal/profile")
    wrong = submit(stranger, page, username=hr.names["lan"], password="sai" + secrets.token_hex(3))
    assert wrong.status_code == 422
    assert _rows(hr)["login_flow"] == 0
    # The page it answers with takes the right one.
    right = submit(stranger, wrong, username=hr.names["lan"], password=PASSWORD)
    assert right.status_code == 303
    assert right.headers["Location"] == "/portal/profile"


def test_two_tabs_a_reload_and_the_way_back_go_on_working(hr: Hr) -> None:
    browser = hr.app.test_client()
    one, other = open_login(browser, "/portal/profile"), open_login(browser, "/portal/consents")
    assert one.request.path != other.request.path
    again = browser.get(one.request.path)
    done = submit(browser, again, username=hr.names["lan"], password=PASSWORD)
    assert done.headers["Location"] == "/portal/profile"
    # Back on the first page: it is over, and leads where it led.
    assert browser.get(one.request.path).headers["Location"] == "/portal/profile"
    # The other tab still signs in, and goes where it was going.
    page = browser.get(other.request.path)
    if page.status_code == 200:
        page = submit(browser, page, username=hr.names["lan"], password=PASSWORD)
    assert page.headers["Location"] == "/portal/consents"


def test_an_address_of_a_sign_in_is_made_by_us_and_belongs_to_nobody_else(hr: Hr) -> None:
    browser, thief = hr.app.test_client(), hr.app.test_client()
    page = open_login(browser, "/portal/profile")
    path = page.request.path
    done = submit(browser, page, username=hr.names["lan"], password=PASSWORD)
    assert done.status_code == 303
    # Somebody with the address of a sign-in whose password was given is asked for one herself.
    seen = thief.get(path)
    assert seen.status_code in (200, 404)
    assert "Location" not in seen.headers
    assert thief.get("/session/status").status_code == 401
    for changed in (path[:-2], path + "A", path.swapcase(), "/login/" + "a" * 300):
        assert thief.get(changed).status_code == 404
    assert browser.get(path).headers["Location"] == "/portal/profile"
    assert hidden_fields(page.text)
