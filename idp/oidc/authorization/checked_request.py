"""CheckedRequest: a request for authorization, and what its checks have found out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import OAuth2Error

from idp.assurance import Demand
from idp.oidc import claims as claim_rules
from idp.oidc.authorization import consent
from idp.oidc.authorization.answers import Channel
from idp.oidc.authorization.consent import ConsentStanding
from idp.oidc.authorization.pushed import UsableRequest
from idp.oidc.clients.kinds import ClientKind, ResponseType
from idp.oidc.proofs.dpop import DpopProof
from idp.oidc.request import Call
from idp.sessions import SessionView


@dataclass
class CheckedRequest(Call):
    """A request at the authorization endpoint, or one that is pushed. A field without a value is
    there once the check has passed that finds it.
    """

    view: SessionView | None = None
    """Whoever is signed in at this browser."""
    consent_proof: str = ""
    """That of the page on which she has just agreed."""
    cookie: str = ""
    """That of her session, where ``view`` was not looked up before: it is, with the client."""
    looked: bool = False
    """Whether the cookie has been looked at."""
    arrived: bool = False
    """Whether it comes from the end of the very sign-in that was done for it (``flow``)."""
    stood: ConsentStanding | None = None
    """Her standing when she was looked up, as long as nothing took its time since."""

    brought: Mapping[str, str] = field(init=False)
    """What brings the same request again."""
    flow: str | None = None
    """Names the sign-in that was done for this very request."""
    kept: UsableRequest | None = None
    """What the browser brings by our name for it: a pushed request, or a signed one that was read
    before."""
    usable: UsableRequest | None = None
    """The pushed request that its ``request_uri`` names, as it was read with the client."""
    proof: DpopProof | None = None
    """The proof it is pushed with, until the request is kept."""
    jkt: str | None = None
    """The DPoP key it was pushed with."""
    signed: bool = False
    fault: OAuth2Error | None = None
    """What is wrong with the signed request; what counts are then the parameters that the browser
    brought, to find the client by."""

    channel: Channel = field(init=False)
    """Where and how the client is answered."""
    response_type: ResponseType = field(init=False)
    claims: Mapping[str, Any] = field(init=False)
    """The claims request."""
    code_jkt: str | None = field(init=False)
    """The key the code will be redeemed with."""
    prompts: set[str] = field(init=False)
    subjects: frozenset[str] | None = field(init=False)
    """Of whom the answer must be about; None: of anybody."""
    demand: Demand = field(init=False)

    agreed: bool = field(init=False)
    """Whether she has just said yes to this very request."""
    standing: ConsentStanding | None = field(init=False)
    """Her capacity and what she has allowed before; None where neither matters."""

    @property
    def query(self) -> str:
        """``brought``, as a query."""
        return urlencode(self.brought)

    @property
    def quiet(self) -> bool:
        """Whether she must not be shown a page."""
        return "none" in self.prompts

    @property
    def asks(self) -> bool:
        """Whether she is to be asked, whatever she has allowed before. Another program on her
        machine could be asking where nothing proves a public native client (RFC 8252 §8.6).
        """
        client, https = self.client, self.channel.redirect_uri.startswith("https:")
        anybody = client.public and client.kind == ClientKind.NATIVE and not https
        return ("consent" in self.prompts or anybody) and not self.agreed

    @cached_property
    def consent_scopes(self) -> frozenset[str]:
        """The scopes, and those that would give the claims asked for one by one."""
        may = self.client.scopes
        by_name = (
            name
            for where in claim_rules.PARTS
            for name in claim_rules.asked_of(self.claims, where, may)
        )
        return frozenset(self.scopes) | frozenset(claim_rules.scopes_of(by_name))

    @property
    def needs_allowed(self) -> frozenset[str]:
        """What the person must have allowed: these scopes, at the resources asked for."""
        return consent.each(self.consent_scopes, self.resources, issuer=self.channel.issuer)

    @property
    def kept_claims(self) -> dict[str, dict[str, None]]:
        """Of the claims request the names we know, and nothing else of what was sent."""
        may = self.client.scopes
        return {
            part: dict.fromkeys(claim_rules.asked_of(self.claims, part, may))
            for part in self.claims
        }

    def may_be_about(self, subject: str) -> bool:
        """Whether the client wants an answer about her, as it knows her (OIDC Core §8)."""
        return self.subjects is None or subject in self.subjects

    @property
    def said(self) -> str:
        """Every parameter that counts, in one text."""
        # Who has authenticated to push it need not have said so again.
        named = {"client_id": self.client.client_id, "response_type": self.response_type.value}
        return urlencode(sorted((self.request.payload.data | named).items()))
