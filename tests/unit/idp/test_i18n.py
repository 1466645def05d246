"""Two languages: Vietnamese sentences are the ids, English is merged from the parts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from directory.base.errors import InvalidInput
from idp.web import i18n


@pytest.fixture(autouse=True)
def _vietnamese_again() -> None:
    i18n.use("vi")


def test_sentences_are_translated_and_filled_in() -> None:
    sentence = "Mật khẩu phải có ít nhất {least} ký tự."
    assert i18n.gettext(sentence, least=14) == "Mật khẩu phải có ít nhất 14 ký tự."
    i18n.use("en")
    assert i18n.gettext(sentence, least=14) == "A password must have at least 14 characters."
    assert i18n.error_text(InvalidInput("x", sentence, field="f", least=8)).endswith(
        "8 characters."
    )


def test_what_has_no_translation_is_shown_in_vietnamese() -> None:
    i18n.use("en")
    assert i18n.gettext("Câu chưa dịch {này}") == "Câu chưa dịch {này}"


def test_lazy_sentences_follow_the_language_in_force() -> None:
    label = i18n.lazy_gettext("Mật khẩu")
    assert str(label) == "Mật khẩu"
    i18n.use("en")
    assert str(label) == "Password"


def test_an_unknown_language_is_vietnamese() -> None:
    i18n.use("fr")
    assert i18n.language() == "vi"


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, "en-GB,en;q=0.8", "en"),
        (None, "fr,de", "vi"),
        (None, "", "vi"),
        ("vi", "en", "vi"),
        ("en", "vi", "en"),
        ("xx", "en", "en"),
    ],
)
def test_cookie_before_accept_language_before_vietnamese(
    cookie: str | None, accepted: str, language: str
) -> None:
    app = Flask("idp")
    i18n.install(app)
    app.add_url_rule("/", view_func=i18n.language)
    client = app.test_client()
    if cookie:
        client.set_cookie(i18n.COOKIE, cookie)
    assert client.get("/", headers={"Accept-Language": accepted}).text == language


def test_dates_are_vietnamese_days_written_day_first() -> None:
    late = datetime(2026, 3, 2, 18, 5, 6, 789000, tzinfo=UTC)
    assert i18n.day(date(2026, 3, 2)) == "02/03/2026"
    assert i18n.day(late) == "03/03/2026"
    assert i18n.moment(late) == "03/03/2026 01:05"
    assert i18n.instant(late) == "03/03/2026 01:05:06.789"
    assert i18n.day(None) == i18n.moment(None) == i18n.instant(None) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(milliseconds=340), "340 ms"),
        (timedelta(seconds=2.14), "2,1 s"),
        (timedelta(minutes=3), "3 phút"),
        (timedelta(hours=5), "5 giờ"),
        (None, ""),
    ],
)
def test_latencies_are_short(value: timedelta | None, text: str) -> None:
    assert i18n.duration(value) == text
