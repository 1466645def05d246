"""What each of the Django applications here stands on: settings, tables, one page, a server."""

import json
import sys
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path


def configured() -> dict[str, Any]:
    """The file named on the command line: issuer, endpoints, client_id, client_secret, port."""
    found: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    return found


def configure(config: dict[str, Any], apps: list[str], **more: Any) -> None:
    """Settings of a small Django site with these applications in it."""
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        *more.pop("MORE_MIDDLEWARE", []),
    ]
    settings.configure(
        SECRET_KEY=config["client_secret"],
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF="__main__",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": config["database"]}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            *apps,
        ],
        MIDDLEWARE=middleware,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        LOGIN_REDIRECT_URL="/",
        LOGOUT_REDIRECT_URL="/",
        USE_TZ=True,
        **more,
    )
    django.setup()
    call_command("migrate", verbosity=0)


def whoever(request: HttpRequest) -> JsonResponse:
    """Who is signed in to the application, as the application knows her."""
    user = request.user
    return JsonResponse(
        {
            "user": user.username if user.is_authenticated else None,
            "email": getattr(user, "email", None),
        }
    )


home = path("", whoever)


class _Silent(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """The test reads what matters."""


def serve(config: dict[str, Any]) -> None:
    """Answer until killed."""
    make_server(
        "127.0.0.1", config["port"], get_wsgi_application(), handler_class=_Silent
    ).serve_forever()
