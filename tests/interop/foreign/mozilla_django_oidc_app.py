"""mozilla-django-oidc as its documentation sets it up for RS256."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import include, path
from django_pieces import configure, configured, home, serve

config = configured()


def sign_out_there(request: HttpRequest) -> str:
    """Where the library sends the browser when she signs out (OpenID Connect RP-Initiated)."""
    query = {"id_token_hint": request.session["oidc_id_token"]}
    return f"{config['end_session_endpoint']}?{urlencode(query)}"


configure(
    config,
    ["mozilla_django_oidc"],
    AUTHENTICATION_BACKENDS=["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    OIDC_RP_CLIENT_ID=config["client_id"],
    OIDC_RP_CLIENT_SECRET=config["client_secret"],
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_OP_JWKS_ENDPOINT=config["jwks_uri"],
    OIDC_OP_AUTHORIZATION_ENDPOINT=config["authorization_endpoint"],
    OIDC_OP_TOKEN_ENDPOINT=config["token_endpoint"],
    OIDC_OP_USER_ENDPOINT=config["userinfo_endpoint"],
    OIDC_OP_LOGOUT_URL_METHOD="__main__.sign_out_there",
    OIDC_STORE_ID_TOKEN=True,
    ALLOW_LOGOUT_GET_METHOD=True,
)
urlpatterns = [home, path("oidc/", include("mozilla_django_oidc.urls"))]
serve(config)
