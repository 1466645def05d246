"""Pages for people: who signs in, what goes wrong, how sure each detail is.

Each says in both languages that it is a simulation. None needs JavaScript or anything from
elsewhere. The language is what the address, else the browser's cookie says; Vietnamese otherwise.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment, PackageLoader
from werkzeug import Request, Response

from dinhdanh.eid_simulator import kept
from dinhdanh.eid_simulator.artefacts import Callback
from dinhdanh.eid_simulator.certainty import DETAILS, MEANINGS
from dinhdanh.eid_simulator.clients import DEMO, DEMO_SECRET
from dinhdanh.eid_simulator.faults import registry
from dinhdanh.eid_simulator.faults.fault import DVCQG, STANDARD
from dinhdanh.eid_simulator.sign_ins import ACCOUNTS, ASSURANCES, LEVELS, Asked, Choice, chosen
from dinhdanh.eid_simulator.simulation import Mount, Simulation
from dinhdanh.eid_simulator.words import LANGUAGES, Said

LAST = "eid-sim-last"
"""Cookie that remembers what was chosen last in this browser."""
LANGUAGE = "eid-sim-lang"
YEAR = 365 * 24 * 3600
SHOWN = 10
"""People among whom one chooses at once; the others stand behind a word."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "strict-origin",
    "X-Content-Type-Options": "nosniff",
}
EXPIRED = Said(
    "Yêu cầu này đã được trả lời hoặc đã cũ. Hãy bắt đầu lại từ ứng dụng.",
    "This request has been answered or is old. Begin again from the application.",
)
NOT_FOUND = Said("Không có trang này.", "There is no such page.")


class Pages:
    """Everything a browser is shown."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._templates = Environment(
            loader=PackageLoader("dinhdanh.eid_simulator"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    # ---- choosing ------------------------------------------------------------------------------

    def to_choose(
        self, prefix: str, waiting: str, choice: Choice | None, locales: str = ""
    ) -> Response:
        """To the page on which somebody is chosen, with what the request has proposed and in the
        first of the languages it names that there is (``ui_locales``).
        """
        query: list[tuple[str, str]] = [("id", waiting)]
        query += [("lang", each) for each in locales.split() if each in LANGUAGES][:1]
        query += _as_fields(choice) if choice else []
        return _redirect(f"{self._simulation.base}/{prefix}/choose?{urlencode(query)}")

    def choose(self, request: Request, mount: Mount, waiting: str, asked: Asked | None) -> Response:
        """Who signs in, and what goes wrong."""
        if asked is None or asked.provider != mount.prefix:
            return self.message(request, EXPIRED, 400)
        groups = [
            (title, fitting)
            for title, faults in registry.GROUPS
            if (fitting := [f for f in faults if mount.profile in f.profiles and f.per_sign_in])
        ]
        return self._page(
            request,
            "choose.html",
            mount=mount,
            waiting=waiting,
            asked=asked,
            groups=groups,
            choice=self._proposed(request, asked),
            people=self._simulation.people.values(),
            shown=SHOWN,
            first=list(self._simulation.people)[:SHOWN],
            levels=LEVELS,
            assurances=ASSURANCES if mount.profile == STANDARD else (),
            accounts=ACCOUNTS if mount.profile == DVCQG else (),
        )

    def _proposed(self, request: Request, asked: Asked) -> Choice:
        """What is marked when the page comes: the request's proposal, else the last choice with
        the assurance that is asked for.
        """
        if "person" in request.args:
            return _choice(request.args, request.args.getlist("fault"))
        last = parse_qs(request.cookies.get(LAST, ""))
        fields = {name: values[0] for name, values in last.items()}
        wanted = next((each for each in asked.acr_values if each in ASSURANCES), None)
        fields |= {} if wanted is None else {"acr": wanted}
        return _choice(fields, last.get("fault", []))

    def chosen(self, request: Request) -> Choice:
        """What was chosen on the page."""
        return _choice(request.form, request.form.getlist("fault"))

    def remembering(self, response: Response, choice: Choice) -> Response:
        """Let the browser remember the choice."""
        self._cookie(response, LAST, urlencode(_as_fields(choice)))
        return response

    # ---- back to the relying party -------------------------------------------------------------

    def back(self, asked: Asked, callback: Callback) -> Response:
        """The answer to a request, as the relying party wanted it or a fault wants it."""
        values = self._values("vi") | {"to": asked.redirect_uri}
        if callback.by_hand:
            address = _with_query(asked.redirect_uri, callback)
            page = self._templates.get_template("by_hand.html").render(values, address=address)
            return _html(page)
        if not callback.by_post:
            return self.onward(asked.redirect_uri, callback)
        page = self._templates.get_template("back.html").render(
            values, parameters=callback.parameters
        )
        return _html(page)

    def onward(self, uri: str, callback: Callback) -> Response:
        """To another address with these parameters in its query."""
        return _redirect(_with_query(uri, callback))

    # ---- about the simulation ------------------------------------------------------------------

    def home(self, request: Request, documents: list[dict[str, Any]]) -> Response:
        """What this is, and what a relying party is configured with."""
        return self._page(
            request,
            "home.html",
            documents=documents,
            people=self._simulation.people.values(),
            client=DEMO,
            secret=DEMO_SECRET,
            private_key=kept.in_pem(self._simulation.demo_private_key),
        )

    def faults(self, request: Request) -> Response:
        """Every fault."""
        return self._page(request, "faults.html", groups=registry.GROUPS)

    def certainty(self, request: Request) -> Response:
        """How sure each detail is."""
        return self._page(request, "certainty.html", details=DETAILS, meanings=MEANINGS)

    def message(self, request: Request, said: Said, status: int = 200) -> Response:
        """One sentence."""
        response = self._page(request, "message.html", said=said, wrong=status >= 400)
        response.status_code = status
        return response

    # ---- every page ----------------------------------------------------------------------------

    def _page(self, request: Request, template: str, **values: Any) -> Response:
        asked_for = request.args.get("lang", "")
        language = asked_for if asked_for in LANGUAGES else request.cookies.get(LANGUAGE, "vi")
        page = self._values(language) | values | {"switch": _in_other_language(request, language)}
        response = _html(self._templates.get_template(template).render(page))
        if asked_for in LANGUAGES:
            self._cookie(response, LANGUAGE, language)
        return response

    def _values(self, language: str) -> dict[str, Any]:
        def say(vi: str, en: str) -> str:
            return Said(vi, en).in_(language)

        return {
            "language": "en" if language == "en" else "vi",
            "say": say,
            "base": self._simulation.base,
            "switch": "",
        }

    def _cookie(self, response: Response, name: str, value: str) -> None:
        settings = self._simulation.settings
        response.set_cookie(
            name,
            value,
            max_age=YEAR,
            path=settings.path or "/",
            httponly=True,
            samesite="Lax",
            secure=settings.secure,
        )


def _as_fields(choice: Choice) -> list[tuple[str, str]]:
    """A choice as the fields of its form."""
    return [
        ("person", choice.person),
        ("level", choice.level),
        ("account", choice.account),
        ("acr", choice.acr),
        ("seconds", f"{choice.seconds:g}"),
        *(("fault", code) for code in choice.faults),
    ]


def _choice(fields: Any, faults: Iterable[str]) -> Choice:
    """A choice from fields; what an older version has remembered and is unknown now is dropped."""
    return chosen(fields, tuple(code for code in faults if code in registry.FAULTS))


def _in_other_language(request: Request, language: str) -> str:
    """This page's address in the other language; empty for what came by POST."""
    if request.method != "GET":
        return ""
    kept_values = [(name, v) for name, v in request.args.items(multi=True) if name != "lang"]
    return f"?{urlencode([*kept_values, ('lang', 'vi' if language == 'en' else 'en')])}"


def _with_query(uri: str, callback: Callback) -> str:
    query = callback.query()
    joint = "&" if "?" in uri else "?"
    return f"{uri}{joint}{query}" if query else uri


def _html(text: str) -> Response:
    return Response(text, content_type="text/html; charset=utf-8", headers=dict(HEADERS))


def _redirect(address: str) -> Response:
    return Response(status=303, headers={**HEADERS, "Location": address})
