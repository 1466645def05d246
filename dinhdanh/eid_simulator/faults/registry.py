"""Every fault by its code; what was chosen, done to what it changes."""

import contextlib
from collections.abc import Iterable
from typing import Any

from dinhdanh.eid_simulator.faults import (
    answers,
    callbacks,
    envelopes,
    id_tokens,
    identity,
    published,
    transport,
)
from dinhdanh.eid_simulator.faults.fault import Fault, Stage
from dinhdanh.eid_simulator.words import Said

GROUPS = (
    (Said("Người và mức độ", "Person and level"), identity.FAULTS),
    (Said("Trên đường về", "On the way back"), callbacks.FAULTS),
    (Said("Câu trả lời", "Answers"), answers.FAULTS),
    (Said("id_token", "id_token"), id_tokens.FAULTS),
    (Said("Mã hóa", "Encryption"), envelopes.FAULTS),
    (Said("Đường truyền", "Transport"), transport.FAULTS),
    (Said("Tài liệu công bố", "Published documents"), published.FAULTS),
)
"""As pages and documentation show them."""
FAULTS: dict[str, Fault] = {fault.code: fault for _, group in GROUPS for fault in group}
"""Every fault there is, by its code."""


class UnknownFault(ValueError):
    """Somebody asked for a fault there is not."""


def faults_named(codes: Iterable[str]) -> tuple[str, ...]:
    """The codes, each once. Raises UnknownFault naming one that does not exist."""
    once = tuple(dict.fromkeys(code.strip() for code in codes if code.strip()))
    for code in once:
        if code not in FAULTS:
            raise UnknownFault(code)
    return once


def of_profile(profile: str) -> list[Fault]:
    """The faults that can happen in a profile."""
    return [fault for fault in FAULTS.values() if profile in fault.profiles]


def misbehave(stage: Stage, profile: str, chosen: Iterable[str], thing: Any, context: Any) -> None:
    """Do to ``thing`` what the chosen faults of this stage and profile do to it, in their order.

    A fault that finds nothing to break, since another has broken it before, does nothing.
    """
    for code in chosen:
        fault = FAULTS[code]
        if fault.stage is stage and profile in fault.profiles:
            with contextlib.suppress(LookupError, TypeError, ValueError):
                fault.deed(thing, context)
