"""Somebody at a browser without a window: it keeps cookies, follows redirects, and she fills in
the provider's own pages as they come.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2

HOPS = 20
WILLING = ("allow", "logout")
"""What she decides where a page asks for a decision."""


@dataclass
class Form:
    """A form of a page: where it goes, what is filled in, and its named buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Contents(HTMLParser):
    """What a browser acts upon: the forms and frames of a page, and where it goes on by itself."""

    def __init__(self, page: httpx2.Response) -> None:
        super().__init__()
        self._base = str(page.url)
        self._open: Form | None = None
        self.forms: list[Form] = []
        self.frames: list[str] = []
        self.goes_on: str | None = None
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self._base, has.get("action", ""))
            self._open = Form(action, has.get("method", "get").upper())
            self.forms.append(self._open)
        elif self._open is not None and tag == "input" and has.get("name"):
            self._open.fields[has["name"]] = has.get("value", "")
        elif self._open is not None and tag == "button" and has.get("name"):
            self._open.buttons.append((has["name"], has.get("value", "")))
        elif tag == "iframe":
            self.frames.append(urljoin(self._base, has["src"]))
        elif tag == "meta" and has.get("http-equiv", "").lower() == "refresh":
            self.goes_on = urljoin(self._base, has["content"].partition("url=")[2])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


class Unexpected(AssertionError):
    """The browser came to a page she has no business on."""


class Person:
    """Who she is, and her browser. Cookies are kept per host, and so shared by its ports."""

    def __init__(self, issuer: str, username: str, password: str) -> None:
        self.issuer = issuer
        self.username = username
        self.password = password
        self.browser = httpx2.Client(timeout=120)
        self.filled_in: list[str] = []
        """The provider's forms she has sent: ``password``, ``code``, ``allow``, ``logout``,
        ``form_post``."""
        self.shown = ""
        """The code that the device in front of her shows."""

    def close(self) -> None:
        self.browser.close()

    def visit(self, url: str, *, until: str = "") -> httpx2.Response | str:
        """Follow redirects, and fill in the provider's pages as long as there is something to.

        Ends at an address that begins with ``until``, without going there, and gives it; else
        at the first page on which nothing is left to do.
        """
        request = self.browser.build_request("GET", url)
        for _ in range(HOPS):
            if until and request.method == "GET" and str(request.url).startswith(until):
                return str(request.url)
            page = self.browser.send(request, follow_redirects=False)
            if page.has_redirect_location:
                target = urljoin(str(page.url), page.headers["Location"])
                request = self.browser.build_request("GET", target)
                continue
            going_on = self._next(page)
            if going_on is None:
                return page
            request = going_on
        raise Unexpected(f"no end of redirects after {url}")

    def landed(self, url: str, *, until: str) -> str:
        """The address beginning with ``until`` that a visit of ``url`` leads to."""
        found = self.visit(url, until=until)
        if isinstance(found, str):
            return found
        raise Unexpected(f"{found.status_code} {found.url}\n{found.text}")

    def page(self, url: str) -> httpx2.Response:
        """The page a visit of ``url`` ends on."""
        found = self.visit(url)
        assert not isinstance(found, str)
        return found

    def sign_out(self) -> None:
        """By the button in the head of every page of the provider."""
        page = self.browser.get(f"{self.issuer}/portal/profile")
        form = next(each for each in Contents(page).forms if each.action.endswith("/logout"))
        # The page that follows is shown once, at an address of its own.
        self._next(self.browser.post(form.action, data=form.fields, follow_redirects=True))

    def _next(self, page: httpx2.Response) -> httpx2.Request | None:
        """What follows on a page of the provider: frames are opened, a form is sent, it goes on
        by itself; None where that is all.
        """
        if not str(page.url).startswith(self.issuer + "/"):
            return None
        contents = Contents(page)
        for frame in contents.frames:
            self.browser.get(frame)
        form = self._form(page, contents.forms)
        if form is not None:
            return self.browser.build_request(form.method, form.action, data=form.fields)
        return self.browser.build_request("GET", contents.goes_on) if contents.goes_on else None

    def _form(self, page: httpx2.Response, forms: list[Form]) -> Form | None:
        """The form she sends, filled in; None where nothing is asked of her."""
        for form in forms:
            if form.fields.keys() >= {"username", "password"} and "again" not in form.fields:
                if page.status_code != 200:
                    raise Unexpected(f"her password is refused:\n{page.text}")
                self.filled_in.append("password")
                form.fields |= {"username": self.username, "password": self.password}
                return form
            if "user_code" in form.fields:
                if page.status_code != 200 or form.fields["user_code"] not in ("", self.shown):
                    raise Unexpected(f"her code is refused, or it is another's:\n{page.text}")
                self.filled_in.append("code")
                form.fields["user_code"] = self.shown
                return form
            for name, value in form.buttons:
                if name == "decision" and value in WILLING:
                    self.filled_in.append(value)
                    form.fields[name] = value
                    return form
            if form.method == "POST" and not form.action.startswith(self.issuer + "/"):
                self.filled_in.append("form_post")  # OAuth 2.0 Form Post Response Mode
                return form
        return None
