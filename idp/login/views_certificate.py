"""The host where people show certificates: one address, which sends everybody back at once.

Nothing is written there, and nothing shown: what comes of it is said at the issuer's host, in the
browser that was sent (``idp.factors.certificate_visit``).
"""

from typing import Any

from flask import Blueprint, redirect, request

from directory.base.errors import NotFound
from idp.factors import by_certificate, certificate_visit
from idp.web import gate, threshold
from idp.web.gate import services

blueprint = Blueprint("certificate", __name__)


@blueprint.get(certificate_visit.PATH)
def seen() -> Any:
    """Back with what the TLS edge tells. Raises NotFound for whoever was not sent."""
    has = services()
    sent = request.args.get(certificate_visit.ASKED, "")
    asked = certificate_visit.read(has.keyring, sent, now=has.clock())
    if asked is None or not by_certificate.possible(has.settings):
        raise NotFound("not_here", "Không tìm thấy trang này.")
    header = threshold.shown_certificate(gate.this_request(), has.settings)
    return redirect(certificate_visit.answer(has.keyring, asked, header, now=has.clock()), 303)
