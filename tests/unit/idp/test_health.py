"""/healthz, /readyz and /metrics."""

import re

import pytest
from sqlalchemy import text

from directory.base.clock import system_clock
from directory.base.crypto import Keyring
from directory.entitlements import Installation
from idp.run.app import create_app
from tests.factories import make_unit


def test_a_healthy_process_answers_without_touching_anything(services, client):
    services.db.dispose()
    services.settings.data_dir.joinpath("dinhdanh.db").rename(
        services.settings.data_dir / "elsewhere"
    )
    answer = client.get("/healthz")
    assert (answer.status_code, answer.data) == (200, b"ok\n")
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.head("/healthz").data == b""


@pytest.mark.both_databases
def test_a_fresh_installation_is_ready(services, client, clock):
    clock.set(system_clock())  # the database server's clock does not stand still
    answer = client.get("/readyz")
    assert answer.status_code == 200, answer.json
    assert set(answer.json["checks"]) == {
        "database",
        "migrations",
        "keyring",
        "clock",
        "write",
        "disk",
    }


def test_it_is_not_ready_before_the_newest_migration(services, client):
    with services.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["migrations"] == "failed"


def test_it_is_not_ready_with_a_foreign_keyring(services, client):
    with services.db.write() as session:
        session.get_one(Installation, 1).keyring_id = Keyring.generate().current
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["keyring"] == "failed"


def test_readiness_says_nothing_of_addresses_or_keys(services, client):
    body = client.get("/readyz").get_data(as_text=True)
    assert services.keyring.current not in body
    assert str(services.settings.data_dir) not in body


def test_metrics_count_jobs_and_requests(services, client):
    client.get("/readyz")
    body = client.get("/metrics").get_data(as_text=True)
    assert re.search(r'^dinhdanh_jobs\{state="ready"\} [1-9]', body, re.MULTILINE)  # its lists
    assert 'dinhdanh_requests_total{part="health",process=' in body


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}),
    ],
)
def test_metrics_are_for_this_machine_only(client, address, headers):
    answer = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == 404


def test_discovery_is_answered_before_flask_and_by_etag(services):
    app, seen = create_app(services), []
    client = app.test_client()
    app.before_request(lambda: seen.append(1))
    first = client.get("/.well-known/openid-configuration")
    again = client.get(
        "/.well-known/openid-configuration", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert seen == []


def test_rows_of_a_test_do_not_reach_another(database):
    with database.write() as session:
        unit = make_unit(session)
    assert unit.id == 1
