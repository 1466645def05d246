"""Delivers logout tokens: bytes to a URL (OIDC Back-Channel Logout 1.0 §2.5, §2.8)."""

from urllib.parse import urlencode

from connectors.errors import Rejected, Transient
from connectors.outbound import Outbound


def deliver(outbound: Outbound, url: str, token: str) -> int:
    """POST a logout token; the status by which the relying party acknowledged it.

    Raises Rejected when it refuses the token as such (400), Misconfigured when the address may
    not be called, Transient for everything else: the token is made anew for each attempt.
    """
    answer = outbound.request(
        "POST",
        url,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        content=urlencode({"logout_token": token}).encode(),
    )
    if answer.status in (200, 204):
        return answer.status
    if answer.status == 400:
        raise Rejected("Ứng dụng từ chối yêu cầu đăng xuất (400).")
    raise Transient("Ứng dụng chưa nhận yêu cầu đăng xuất ({status}).", status=answer.status)
