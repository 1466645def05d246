"""A browser without a screen: cookies, forms, and redirects that can be watched one by one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2

from examples.demo.story.telling import NotSo

_VOID_BREAKS = frozenset({"p", "div", "li", "tr", "br", "h1", "h2", "h3", "dt", "dd", "td", "th"})
_HOPS = 12


@dataclass
class Form:
    """One form: where it goes, what it would send, what can be pressed or chosen."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    """Element id → field name, as ``#username``."""


class _Reader(HTMLParser):
    """Collects forms, links and the visible text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.effects: list[dict[str, str]] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._select: tuple[str, bool] | None = None
        self._option: str | None = None
        self._textarea: str | None = None
        self._link: str | None = None
        self._link_text: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        present = {name for name, _ in attrs}
        if tag in ("script", "style", "template"):
            self._hidden += 1
        if "data-effect" in given:
            self.effects.append({n[5:]: v for n, v in given.items() if n.startswith("data-")})
        if tag in _VOID_BREAKS:
            self.words.append("\n")
        if tag == "a" and "href" in given:
            self._link, self._link_text = given["href"], []
        if tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        if self._form is not None:
            self._control(tag, given, present)

    def _control(self, tag: str, given: dict[str, str], present: set[str]) -> None:
        form = self._form
        if form is None or "disabled" in present:
            return
        name = given.get("name", "")
        if name and "id" in given:
            form.ids[given["id"]] = name
        if tag == "input":
            self._input(form, name, given, present)
        elif tag == "button" and given.get("type", "submit") == "submit":
            form.buttons.append((name, given.get("value", "")))
        elif tag == "select" and name:
            self._select = (name, False)
            form.choices.setdefault(name, [])
        elif tag == "option" and self._select is not None:
            select, chosen = self._select
            value = given.get("value", "")
            form.choices[select].append(value)
            if "selected" in present or (not chosen and select not in form.fields):
                form.fields[select] = value
        elif tag == "textarea" and name:
            self._textarea = name
            form.fields[name] = ""

    @staticmethod
    def _input(form: Form, name: str, given: dict[str, str], present: set[str]) -> None:
        kind = given.get("type", "text").lower()
        if kind in ("submit", "image"):
            form.buttons.append((name, given.get("value", "")))
        elif kind in ("radio", "checkbox") and name:
            value = given.get("value", "on")
            form.choices.setdefault(name, []).append(value)
            if "checked" in present:
                form.fields[name] = value
        elif name and kind not in ("button", "reset", "file"):
            form.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "template"):
            self._hidden -= 1
        elif tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None
        elif tag == "a" and self._link is not None:
            self.links.append((self._link, " ".join("".join(self._link_text).split())))
            self._link = None

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._textarea is not None and self._form is not None:
            self._form.fields[self._textarea] += data
        if self._link is not None:
            self._link_text.append(data)
        self.words.append(data)


@dataclass(frozen=True)
class Page:
    """One answer as the person sees it."""

    url: str
    status: int
    headers: httpx2.Headers
    html: str
    forms: tuple[Form, ...]
    links: tuple[tuple[str, str], ...]
    effects: tuple[dict[str, str], ...]
    """What the console marks as an effect: kind, target and, in a proof, its state."""
    text: str

    @classmethod
    def of(cls, response: httpx2.Response) -> "Page":
        """Read an answer."""
        reader = _Reader()
        html = response.text if "html" in response.headers.get("content-type", "") else ""
        reader.feed(html)
        lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
        return cls(
            str(response.url),
            response.status_code,
            response.headers,
            response.text,
            tuple(reader.forms),
            tuple(reader.links),
            tuple(reader.effects),
            "\n".join(line for line in lines if line),
        )

    @property
    def location(self) -> str | None:
        """Where it redirects to, absolute."""
        value = self.headers.get("location")
        return urljoin(self.url, value) if value and 300 <= self.status < 400 else None

    @property
    def query(self) -> dict[str, str]:
        """The parameters of its address."""
        return query_of(self.url)

    def form(self, *names: str, action: str = "") -> Form:
        """The first form with all these fields. Raises NotSo when the page has none."""
        for form in self.forms:
            known = form.fields.keys() | form.choices.keys() | {n for n, _ in form.buttons}
            if set(names) <= known and re.search(action, form.action):
                return form
        raise NotSo(f"the page {self.path}", f"a form with {', '.join(names)} {action}", self.brief)

    def has_form(self, *names: str) -> bool:
        """Whether there is such a form."""
        try:
            self.form(*names)
        except NotSo:
            return False
        return True

    @property
    def path(self) -> str:
        """The path of its address."""
        return urlsplit(self.url).path

    @property
    def brief(self) -> str:
        """Status and the beginning of what it says."""
        return f"{self.status} {self.path}: {' / '.join(self.text.splitlines()[:12])}"


class Browser:
    """One person's browser; its jar holds the cookies of every port, as real ones do."""

    def __init__(self, *, verify: Any = True, language: str = "vi") -> None:
        self._client = httpx2.Client(
            verify=verify,
            follow_redirects=False,
            timeout=20.0,
            trust_env=False,
            headers={"Accept-Language": language, "User-Agent": "dinhdanh-story"},
        )

    def close(self) -> None:
        """Forget everything."""
        self._client.close()

    def get_once(self, url: str) -> Page:
        """One request; a redirect is not followed."""
        return Page.of(self._client.get(url))

    def get(self, url: str) -> Page:
        """The page one arrives at."""
        return self.follow(self.get_once(url))

    def follow(self, page: Page, *, stop: str = "") -> Page:
        """Follow redirects; not beyond one that leads to an address beginning with ``stop``."""
        for _ in range(_HOPS):
            if page.location is None or (stop and page.location.startswith(stop)):
                return page
            page = self.get_once(page.location)
        raise NotSo("redirects", f"at most {_HOPS}", page.url)

    def submit_once(
        self,
        page: Page,
        form: Form,
        values: Mapping[str, str] | None = None,
        *,
        press: tuple[str, str] | None = None,
    ) -> Page:
        """Send a form as the page made it, with these values and that button."""
        sent = form.fields | dict(values or {})
        if press is not None and press[0]:
            sent[press[0]] = press[1]
        target = urljoin(page.url, form.action or page.url)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        headers = {"Referer": page.url, "Origin": origin}
        if form.method == "get":
            return Page.of(self._client.get(target, params=sent, headers=headers))
        return Page.of(self._client.post(target, data=sent, headers=headers))

    def submit(
        self,
        page: Page,
        form: Form,
        values: Mapping[str, str] | None = None,
        *,
        press: tuple[str, str] | None = None,
    ) -> Page:
        """The same, to the page one arrives at."""
        return self.follow(self.submit_once(page, form, values, press=press))

    def json(self, url: str, **headers: str) -> Any:
        """What an address answers as JSON."""
        answer = self._client.get(url, headers=headers)
        if answer.status_code != 200:
            raise NotSo(f"GET {url}", "200", answer.status_code)
        return answer.json()


def at(page: Page, href: str) -> str:
    """An address as the browser understands it on this page."""
    return urljoin(page.url, href)


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address; of one given twice, the first."""
    parameters = parse_qs(urlsplit(url).query, keep_blank_values=True)
    return {name: values[0] for name, values in parameters.items()}
