"""To which clients a field applies, by their grants, method and profile; ``client`` is a
``Registration``.
"""

from typing import Any

from idp.oidc.clients.kinds import INTERCHANGEABLE, AuthMethod, GrantType


def signs_in(client: Any) -> bool:
    """Whether people sign in to it with a browser."""
    return bool({GrantType.CODE, GrantType.IMPLICIT} & {*client.grant_types})


def unbound(client: Any) -> bool:
    """Whether no profile decides for it."""
    return signs_in(client) and not client.options.profile.fapi


def presents_a_secret(client: Any) -> bool:
    return unbound(client) and client.auth_method in INTERCHANGEABLE


def may_do_without_pkce(client: Any) -> bool:
    return unbound(client) and client.auth_method is not AuthMethod.NONE
