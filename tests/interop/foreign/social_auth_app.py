"""python-social-auth (social-auth-app-django) with its generic OpenID Connect backend."""

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import include, path
from django_pieces import configure, configured, home, serve

config = configured()
configure(
    config,
    ["social_django"],
    AUTHENTICATION_BACKENDS=["social_core.backends.open_id_connect.OpenIdConnectAuth"],
    SOCIAL_AUTH_OIDC_OIDC_ENDPOINT=config["issuer"],
    SOCIAL_AUTH_OIDC_KEY=config["client_id"],
    SOCIAL_AUTH_OIDC_SECRET=config["client_secret"],
)


def sign_out(request: HttpRequest) -> HttpResponse:
    """The library leaves signing out to Django."""
    logout(request)
    return redirect("/")


urlpatterns = [
    home,
    path("", include("social_django.urls", namespace="social")),
    path("out", sign_out),
]
serve(config)
