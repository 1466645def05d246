"""A request is understood as Werkzeug understands it: both doors must read the same."""

import io
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.exceptions import HTTPException

from idp.web.exchange import BODY_LIMIT, FIELD_LIMIT, FIELDS, FORM, HttpRequest

PARTS = "multipart/form-data; boundary=x"


def part(name: str, value: str) -> str:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


BODIES: dict[str, tuple[str | None, bytes]] = {
    "a form": (FORM, b"a=1&b=2"),
    "a name twice": (FORM, b"a=1&a=2&b=3&a=4"),
    "blank values and names": (FORM, b"a=&=b&c&&d=1"),
    "escapes": (FORM, b"a=%20%2B+%26&b%3D=%C3%A1"),
    "escapes that are no text": (FORM, b"a=%ff%C3&%fe=1"),
    "broken escapes": (FORM, b"a=%&b=%zz&c=%e"),
    "bytes that are text": (FORM, "a=Đà Nẵng".encode()),
    "bytes that are no text": (FORM, b"a=1&b=\xff"),
    "a NUL": (FORM, b"a=%00\0"),
    "semicolons": (FORM, b"a=1;b=2"),
    "a type with parameters": (FORM + "; charset=utf-8", b"a=1"),
    "a type in capitals": (FORM.upper(), b"a=1"),
    "a type with spaces": (f"  {FORM} ;x", b"a=1"),
    "another type": ("application/json", b"a=1"),
    "no type": (None, b"a=1"),
    "an empty type": ("", b"a=1"),
    "nothing": (FORM, b""),
    "in parts": (PARTS, (part("a", "1") + part("a", "2") + "--x--").encode()),
    "in parts without a boundary": ("multipart/form-data", part("a", "1").encode()),
    "in parts that do not end": (PARTS, part("a", "1").encode()),
    "in a part too large": (PARTS, (part("a", "y" * (FIELD_LIMIT + 1)) + "--x--").encode()),
    "in too many parts": (PARTS, (part("a", "") * (FIELDS + 1) + "--x--").encode()),
    "as large as may be": (FORM, b"a=" + b"y" * (BODY_LIMIT - 2)),
    "too large": (FORM, b"a=" + b"y" * (BODY_LIMIT - 1)),
    "too large, of another type": ("text/plain", b"y" * (BODY_LIMIT + 1)),
    "too large, of no type": (None, b"y" * (BODY_LIMIT + 1)),
}
WAYS: dict[str, dict[str, Any]] = {
    "with its length": {},
    "to its end": {"wsgi.input_terminated": True},
    "in chunks": {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    "in chunks, to no end": {"HTTP_TRANSFER_ENCODING": "chunked"},
    "with a length that is none": {"CONTENT_LENGTH": "many"},
    "with a negative length": {"CONTENT_LENGTH": "-1"},
    "with a length of 5000 digits": {"CONTENT_LENGTH": "1" * 5000},
    "without a length": {"CONTENT_LENGTH": ""},
    "shorter than announced": {"CONTENT_LENGTH": "100"},
    "longer than announced": {"CONTENT_LENGTH": "3"},
}


def environ(**more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/oauth2/token",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    } | more


def read(ask: Any) -> Any:
    """What asking gives: names with their values in order, or how it is refused."""
    try:
        found = ask()
    except HTTPException as error:
        return error.code
    except UnicodeDecodeError:
        return "no text"
    return list(found.items(multi=True)) if hasattr(found, "lists") else found


@pytest.fixture(scope="module")
def theirs() -> Any:
    """What Flask's request gives for an environ."""
    app = Flask("any")
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT

    def asked(given: dict[str, Any], ask: Any) -> Any:
        with app.request_context(given):
            return read(lambda: ask(request))

    return asked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", BODIES)
def test_a_form_is_read_as_werkzeug_reads_it(theirs: Any, body: str, way: str) -> None:
    kind, content = BODIES[body]

    def fresh() -> dict[str, Any]:
        typed = {} if kind is None else {"CONTENT_TYPE": kind}
        sized = {"CONTENT_LENGTH": str(len(content)), "wsgi.input": io.BytesIO(content)}
        return environ(**typed, **(sized | WAYS[way]))

    for part_of in ("mimetype", "form"):
        told = theirs(fresh(), lambda their, name=part_of: getattr(their, name))
        ours = HttpRequest(fresh())
        assert read(lambda asked=ours, name=part_of: getattr(asked, name)) == told


@pytest.mark.parametrize("body", ["a form", "in parts", "bytes that are no text"])
def test_who_reads_after_us_finds_the_body_again(theirs: Any, body: str) -> None:
    kind, content = BODIES[body]

    def fresh() -> dict[str, Any]:
        return environ(
            CONTENT_TYPE=kind,
            CONTENT_LENGTH=str(len(content)),
            **{"wsgi.input": io.BytesIO(content)},
        )

    given = fresh()
    _ = HttpRequest(given).form
    assert theirs(given, lambda their: their.form) == theirs(fresh(), lambda their: their.form)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "a=1",
        "a=1&a=2",
        "a=&=b&c",
        "a=%ff&b=%00",
        "a=1;b=2",
        "?a=1",
        "a=\xc3\xa1",
        "+=+",
    ],
)
def test_a_query_is_read_as_werkzeug_reads_it(theirs: Any, query: str) -> None:
    given = environ(QUERY_STRING=query)
    told = theirs(dict(given), lambda their: their.args)
    ours = HttpRequest(given)
    assert read(lambda: ours.args) == told


@pytest.mark.parametrize("query", ["a=\xff", "\xc3=1", "a=\xc3\xa1&b=\xe1\xba"])
def test_a_query_that_is_no_text_is_told_and_not_read(theirs: Any, query: str) -> None:
    given = environ(QUERY_STRING=query)
    assert theirs(dict(given), lambda their: their.args) == "no text"
    ours = HttpRequest(given)
    assert (ours.legible, ours.query, list(ours.args)) == (False, "", [])


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "a=1",
        "a=1; a=2; b=3",
        'a="quoted \\054 more"; b=2',
        "a=1;b;=c; d=\xc3\xa1",
        "a=\xff; b=2",
        "  a = 1 ;b=2",
    ],
)
def test_cookies_are_read_as_werkzeug_reads_them(theirs: Any, cookie: str | None) -> None:
    given = environ(**({} if cookie is None else {"HTTP_COOKIE": cookie}))
    told = theirs(dict(given), lambda their: their.cookies)
    ours = HttpRequest(given)
    assert read(lambda: ours.cookies) == told


@pytest.mark.parametrize(
    "path", ["/oauth2/token", "", "oauth2", "//oauth2//token", "/\xc3\xa1", "/\xff", "/a\0"]
)
def test_a_path_is_read_as_werkzeug_reads_it(theirs: Any, path: str) -> None:
    given = environ(PATH_INFO=path)
    assert HttpRequest(given).path == theirs(dict(given), lambda their: their.path)


@pytest.mark.parametrize("name", ["DPoP", "content-type", "Content-Length", "X-Forwarded-For", "x"])
def test_a_header_is_found_however_it_is_spelt(theirs: Any, name: str) -> None:
    given = environ(
        HTTP_DPOP="proof", CONTENT_TYPE=FORM, CONTENT_LENGTH="7", HTTP_X_FORWARDED_FOR="192.0.2.1"
    )
    for spelt in (name, name.upper(), name.lower()):
        told = theirs(dict(given), lambda their, as_=spelt: their.headers.get(as_))
        assert HttpRequest(given).get(spelt) == told
