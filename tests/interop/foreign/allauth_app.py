"""django-allauth with its provider "OpenID Connect"."""

from django.urls import include, path
from django_pieces import configure, configured, home, serve

config = configured()
configure(
    config,
    [
        "allauth",
        "allauth.account",
        "allauth.socialaccount",
        "allauth.socialaccount.providers.openid_connect",
    ],
    MORE_MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    ACCOUNT_EMAIL_VERIFICATION="none",
    SOCIALACCOUNT_PROVIDERS={
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "dinhdanh",
                    "name": "Định danh",
                    "client_id": config["client_id"],
                    "secret": config["client_secret"],
                    "settings": {
                        "server_url": f"{config['issuer']}/.well-known/openid-configuration"
                    },
                }
            ]
        }
    },
)
urlpatterns = [home, path("accounts/", include("allauth.urls"))]
serve(config)
