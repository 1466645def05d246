"""What a request to the changes API brings, checked before anything looks at it."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from flask import Request

from directory.base.audit import Actor
from directory.base.errors import DinhdanhError, InvalidInput
from directory.base.storable import is_text
from idp.api import bodies
from idp.api.bodies import Model
from idp.demands import Operation
from idp.oidc import bearer
from idp.web.gate import services, this_request

BODY_LIMIT = 256 * 1024
"""Bytes. A change of 2,000 people named by long usernames takes a quarter of it."""
DEEPEST = 8
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class BadRequest(DinhdanhError):
    """The request is not what the API speaks."""

    status = 400


class TooLarge(DinhdanhError):
    """The body is larger than any change."""

    status = 413


class NotJson(DinhdanhError):
    """The body is declared as something else."""

    status = 415


def caller(scopes: Sequence[str], operation: Operation | None = None) -> Actor:
    """Who asks, with a token of these scopes, and to do this. Raises bearer.Refused."""
    asked = this_request()
    return bearer.authenticate(asked, scopes=scopes, tools=services(), operation=operation)


def body(request: Request) -> dict[str, Any]:
    """The JSON object of the body. Raises BadRequest, TooLarge, NotJson."""
    if request.mimetype != "application/json":
        raise NotJson("not_json", "Nội dung phải có kiểu application/json.")
    if request.content_length is not None and request.content_length > BODY_LIMIT:
        raise _too_large()
    raw = request.stream.read(BODY_LIMIT + 1)
    if len(raw) > BODY_LIMIT:
        raise _too_large()
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise BadRequest("json_invalid", "Nội dung không phải JSON đúng cú pháp.") from None
    if not isinstance(value, dict):
        raise BadRequest("json_invalid", "Yêu cầu phải là một đối tượng JSON.")
    _check(value, DEEPEST)
    return value


def _too_large() -> TooLarge:
    return TooLarge("body_too_large", "Nội dung gửi lên quá lớn.")


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 8259 §4: names SHOULD be unique; two readers must not take two of them."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate name")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _check(value: Any, levels: int) -> None:
    """No deeper than a change ever is; only text that a database can hold."""
    if levels < 0:
        raise BadRequest("json_too_deep", "Nội dung JSON lồng nhau quá sâu.")
    if isinstance(value, dict):
        for name, item in value.items():
            _check(name, 0)
            _check(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, levels - 1)
    elif isinstance(value, str) and not is_text(value):
        raise BadRequest("json_invalid", "Nội dung có ký tự không hợp lệ.")


def body_as(model: type[Model], request: Request) -> Model:
    """The body, read through a model. Raises BadRequest, TooLarge, NotJson, InvalidInput."""
    return bodies.read(model, body(request))


def idempotency_key(request: Request) -> str:
    """The Idempotency-Key header, which a commit must carry. Raises BadRequest."""
    value = request.headers.get("Idempotency-Key")
    if value is None:
        raise BadRequest("idempotency_key_missing", "Thiếu tiêu đề Idempotency-Key.")
    if not _KEY.fullmatch(value):
        raise BadRequest(
            "idempotency_key_invalid",
            "Idempotency-Key gồm 1 đến 255 ký tự ASCII không có khoảng trắng.",
        )
    return value


def limit(request: Request, *, default: int = 50, most: int = 200) -> int:
    """How many rows are asked for. Raises InvalidInput."""
    value = request.args.get("limit")
    if value is None:
        return default
    if not re.fullmatch(r"[0-9]{1,3}", value) or not 1 <= int(value) <= most:
        raise InvalidInput("limit", "Số dòng mỗi trang từ 1 đến {most}.", field="limit", most=most)
    return int(value)


def chosen(request: Request, name: str, among: Iterable[str]) -> str | None:
    """A query value that is one of these, or not given. Raises InvalidInput."""
    value = request.args.get(name)
    if value is not None and value not in set(among):
        raise InvalidInput("invalid", "Giá trị không nằm trong danh mục.", field=name)
    return value
