"""A person and her browser, for tests: she fills in what the provider's pages ask her."""

import re
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin

import httpx2

PATIENCE = 30.0
"""Seconds for one answer, a start, or a change to be settled."""
_FORM = re.compile(r"<form\b[^>]*>.*?</form>", re.DOTALL)
_TAG = re.compile(r"<(?:input|form|button)\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_HOPS = 20


@dataclass(frozen=True)
class Person:
    """Somebody of the province, with the password she was given."""

    username: str
    password: str = field(repr=False)
    sub: str
    full_name: str


class Browser:
    """A person's browser: keeps cookies, follows redirects, signs in where it is asked to."""

    def __init__(self, issuer: str, person: Person | None) -> None:
        self._issuer = issuer
        self._person = person
        self.http = httpx2.Client(follow_redirects=False, timeout=PATIENCE)

    def get(self, url: str) -> httpx2.Response:
        """Open an address; give the first page that is not the provider's asking who she is."""
        page = self.visit(url)
        for _ in range(_HOPS):
            answered = self._answer(page)
            if answered is None:
                return page
            page = answered
        raise TimeoutError(f"The sign-in that {url} asked for did not end.")

    def visit(self, url: str) -> httpx2.Response:
        """Open an address and follow where it leads; nothing is filled in."""
        return self._follow(self.http.get(url))

    def _follow(self, response: httpx2.Response, stop: str | None = None) -> httpx2.Response:
        for _ in range(_HOPS):
            location = response.headers.get("Location")
            if location is None or response.status_code not in (301, 302, 303, 307, 308):
                return response
            target = urljoin(str(response.url), location)
            if stop is not None and target.startswith(stop):
                return response
            response = self.http.get(target)
        raise TimeoutError(f"{response.url} redirects without end.")

    def callback(self, authorization_url: str, redirect_uri: str) -> str:
        """Sign in for an authorization request; the address the provider sends the browser to.

        For tests without a running application: nobody needs to listen at ``redirect_uri``.
        """
        response = self._follow(self.http.get(authorization_url), redirect_uri)
        for _ in range(_HOPS):
            location = response.headers.get("Location", "")
            if location.startswith(redirect_uri):
                return str(location)
            answered = self._answer(response, redirect_uri)
            if answered is None:
                raise LookupError(f"{response.status_code} {response.url}: no form to fill in")
            response = answered
        raise TimeoutError("The sign-in did not end.")

    def _answer(self, page: httpx2.Response, stop: str | None = None) -> httpx2.Response | None:
        """Fill in the provider's page, if it is one that asks her something."""
        if self._person is None or not str(page.url).startswith(self._issuer):
            return None
        for form in _FORM.findall(page.text):
            fields, action = self._filled(form)
            if fields is not None:
                target = urljoin(str(page.url), action or str(page.url))
                return self._follow(self.http.post(target, data=fields), stop)
        return None

    def _filled(self, form: str) -> tuple[dict[str, str] | None, str]:
        tags = [dict(_ATTRIBUTE.findall(tag)) | {"": tag[1:6]} for tag in _TAG.findall(form)]
        action = unescape(tags[0].get("action", ""))
        fields = {
            t["name"]: unescape(t.get("value", "")) for t in tags if t.get("type") == "hidden"
        }
        names = {t.get("name", "") for t in tags}
        person = self._person
        if person is not None and {"username", "password"} <= names:
            return fields | {"username": person.username, "password": person.password}, action
        if "assignment" in names:
            first = next(t["value"] for t in tags if t.get("name") == "assignment")
            return fields | {"assignment": first}, action
        if any(t.get("name") == "decision" and t.get("value") == "allow" for t in tags):
            return fields | {"decision": "allow"}, action
        return None, action
