"""The WSGI application: every address, and what is answered there."""

from collections.abc import Callable, Iterable
from importlib.resources import files
from typing import TYPE_CHECKING

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException

from dinhdanh.eid_simulator import control_calls, leaving
from dinhdanh.eid_simulator.artefacts import Answer, refused
from dinhdanh.eid_simulator.control import Control
from dinhdanh.eid_simulator.faults.answers import ELSEWHERE
from dinhdanh.eid_simulator.pages import NOT_FOUND, Pages
from dinhdanh.eid_simulator.providers.provider import Endpoint
from dinhdanh.eid_simulator.providers.requests import ForPeople
from dinhdanh.eid_simulator.providers.table import providers
from dinhdanh.eid_simulator.simulation import Settings, Simulation

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LONGEST = 1024 * 1024
"""Bytes of a request's body that are read."""


class Application:
    """One simulator behind any WSGI server; only our own (``running``) can refuse connections."""

    def __init__(self, settings: Settings) -> None:
        self.simulation = Simulation(settings)
        self.pages = Pages(self.simulation)
        self.providers = providers(self.simulation, self.pages)
        self.control = Control(self.simulation, self.providers)
        self._endpoints: dict[str, tuple[str, Endpoint]] = {
            f"/{prefix}{endpoint.path}": (prefix, endpoint)
            for prefix, provider in self.providers.items()
            for endpoint in provider.endpoints()
        }
        self._style = files("dinhdanh.eid_simulator").joinpath("static/style.css").read_bytes()
        self._documents: dict[str, Callable[[Request], Answer | Response]] = {
            "/": lambda request: self.pages.home(request, self.control.documents()),
            "/faults": self.pages.faults,
            "/certainty": self.pages.certainty,
            "/style.css": self._styled,
            "/healthz": lambda _: Answer(b"ok", content_type="text/plain"),
        }

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request."""
        if self.simulation.outage.left:
            raise leaving.reset(environ)
        request = Request(environ)
        request.max_content_length = LONGEST
        try:
            answer = self._answer(request, self._path(request))
        except ForPeople as error:
            answer = self.pages.message(request, error.said, 400)
        except HTTPException as error:
            return error(environ, start_response)
        if isinstance(answer, Response):
            return answer(environ, start_response)
        self.simulation.wait(answer.after)
        return leaving.sent(answer, environ, start_response, self.simulation.base)

    def _path(self, request: Request) -> str:
        """The path below the simulator's own, whether or not a proxy has taken that away."""
        own = self.simulation.settings.path
        path = request.path
        return path.removeprefix(own) or "/" if own and path.startswith(own) else path

    def _answer(self, request: Request, path: str) -> Answer | Response:
        if path in self._endpoints:
            return self._at_provider(request, *self._endpoints[path])
        if path.startswith(control_calls.PREFIX):
            rest = path.removeprefix(control_calls.PREFIX)
            return control_calls.answered(request, rest, self.control, self.simulation)
        if path == ELSEWHERE:
            self.simulation.saw("", "elsewhere", request.method, 404)
            return refused("not_found", "nobody should have come here", 404)
        document = self._documents.get(path)
        if document is None or request.method not in ("GET", "HEAD"):
            return self.pages.message(request, NOT_FOUND, 404)
        return document(request)

    def _at_provider(self, request: Request, prefix: str, endpoint: Endpoint) -> Answer | Response:
        if request.method in endpoint.methods:
            answer = endpoint.handler(request)
        else:
            answer = refused("invalid_request", "method", 405)
            answer.headers["Allow"] = ", ".join(endpoint.methods)
        status = answer.status_code if isinstance(answer, Response) else answer.status
        self.simulation.saw(prefix, endpoint.name, request.method, status)
        return answer

    def _styled(self, _request: Request) -> Answer:
        return Answer(self._style, content_type="text/css; charset=utf-8")
