"""The SCIM 2.0 endpoint ``/scim/v2``: who may call it, what it announces, what it remembers."""

import hashlib
import hmac
from typing import Any

from flask import Blueprint, Response, request
from scim2_flask import ScimServer
from scim2_models import (
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    EnterpriseUser,
    ETag,
    Filter,
    Patch,
    ResourceType,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    User,
)
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from examples.apps.accounts import AccountResource, AccountStorage
from examples.apps.database import Database, Kind

PREFIX = "/scim/v2"


def describe() -> ScimProvider:
    """What this endpoint serves: users with the enterprise extension, and nothing it does not."""
    return ScimProvider(
        models=[User, EnterpriseUser],
        resource_types=[ResourceType.from_resource(AccountResource)],
        config=ServiceProviderConfig(
            patch=Patch(supported=True),
            bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
            filter=Filter(supported=True, max_results=200),
            change_password=ChangePassword(supported=False),
            sort=Sort(supported=False),
            etag=ETag(supported=True),
            authentication_schemes=[
                AuthenticationScheme(
                    type=AuthenticationScheme.Type.oauthbearertoken,
                    name="Bearer token",
                    description="One secret shared with the provisioning system.",
                    primary=True,
                )
            ],
        ),
    )


def require_bearer(expected: str) -> None:
    """Refuse a request that does not carry the token; the comparison takes constant time."""
    given = request.authorization
    token = given.token if given is not None and given.type == "bearer" else None
    digests = (hashlib.sha256((value or "").encode()).digest() for value in (token, expected))
    if not hmac.compare_digest(*digests):
        raise Unauthorized(www_authenticate=WWWAuthenticate("bearer", {"realm": "scim"}))


class AccountEndpoint(ScimServer):
    """``scim2_flask`` with a door in front and a list of what came through it."""

    def __init__(self, storage: AccountStorage, *, token: str, database: Database) -> None:
        super().__init__(storage, describe(), url_prefix=PREFIX)
        self._accounts = storage
        self._token = token
        self._database = database

    def create_blueprint(self) -> Blueprint:
        """The routes of ``scim2_flask``, protected and recorded."""
        blueprint = super().create_blueprint()
        blueprint.before_request(lambda: require_bearer(self._token))
        blueprint.after_request(self._remember)
        return blueprint

    def _remember(self, response: Response) -> Response:
        self._database.record(
            Kind.SCIM,
            method=request.method,
            path=request.path,
            status=response.status_code,
            detail=self._summary(response),
        )
        return response

    def _summary(self, response: Response) -> dict[str, Any]:
        """What a reader of ``/activity`` needs: the question, the refusal, the account as it is."""
        summary: dict[str, Any] = {}
        if request.args.get("filter"):
            summary["filter"] = request.args["filter"]
        body = response.get_json(silent=True)
        answer = body if isinstance(body, dict) else {}
        summary |= {
            key: answer[key]
            for key in ("totalResults", "scimType", "detail", "id")
            if key in answer
        }
        resource_id = answer.get("id") or (request.view_args or {}).get("resource_id")
        account = self._accounts.by_id(resource_id) if resource_id else None
        if account is not None:
            # Read back rather than copied from the answer: a PATCH is answered without a body.
            summary |= {
                "id": account.id,
                "externalId": account.external_id,
                "userName": account.user_name,
                "active": account.active,
                "department": account.department,
                "roles": account.roles,
            }
        return summary
