"""Who somebody is who is not known yet: the fields that a form, a request or a row of a feed gives."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import ValidationInfo, WithJsonSchema

from directory.base.crypto import Keyring
from directory.base.text import clean
from directory.changes import answers, asks
from directory.changes.asks import Ask, Fields, OneOf, Reading
from directory.changes.field_types import (
    BirthDate,
    CitizenNumber,
    Email,
    PersonName,
    Phone,
    SourceKey,
)

_USERNAME = re.compile(r"[a-z][a-z0-9]{2,30}")
GENDERS = {"male": "Nam", "female": "Nữ"}


def _username(value: Any, info: ValidationInfo) -> str | None:
    text = clean(value) if isinstance(value, str) else value
    if text in (None, ""):
        return None
    if not isinstance(text, str) or not _USERNAME.fullmatch(text):
        raise asks.wrong(info.field_name or "", "Tên đăng nhập không hợp lệ.")
    return text


def _same_as(value: Any, info: ValidationInfo) -> str | None:
    text = clean(value).lower() if isinstance(value, str) else value
    if text in (None, ""):
        return None
    if not isinstance(text, str) or not _USERNAME.fullmatch(text):
        raise asks.wrong(info.field_name or "", "Ghi tên đăng nhập của người đã có, hoặc new.")
    return text


class Newcomer(Fields):
    """The columns of a new person."""

    full_name: Annotated[PersonName, Ask("Họ và tên", says="Her full name.", also=("--name",))]
    birth_date: Annotated[
        BirthDate, Ask("Ngày sinh", says="Her day of birth, or the year alone.")
    ] = None
    gender: Annotated[str | None, OneOf(GENDERS), Ask("Giới tính", says="Her gender.")] = None
    citizen_number: Annotated[
        CitizenNumber,
        Ask(
            "Số định danh cá nhân",
            says="Her personal identification number: twelve digits.",
            secret=True,
        ),
    ] = None
    email: Annotated[Email, Ask("Thư điện tử", says="Her e-mail address.")] = None
    phone: Annotated[Phone, Ask("Điện thoại", says="Her telephone number.")] = None
    username: Annotated[
        str | None,
        asks.reads(_username),
        WithJsonSchema({"type": ["string", "null"]}),
        Ask(
            "Tên đăng nhập",
            says="Her username; made from her name when left out.",
            help="Để trống thì tạo từ họ tên.",
        ),
    ] = None
    source_key: Annotated[
        SourceKey, Ask("Mã trong hệ thống nhân sự", says="Her key in the personnel system.")
    ] = None

    same_as: Annotated[
        str | None,
        asks.reads(_same_as),
        WithJsonSchema({"type": ["string", "null"]}),
        Ask(
            "Người đã có trong danh bạ",
            says="Whom she is, by username, where she has left before; `new` where it is settled that "
            "she is another person than her namesakes.",
            settles=True,
        ),
    ] = None

    def columns(self) -> dict[str, Any]:
        """What is stored; the citizen number only in its three stored forms."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        number = said.pop("citizen_number")
        if said["same_as"] is None:
            del said["same_as"]
        empty = dict.fromkeys(("citizen_hash", "citizen_sealed", "citizen_masked"))
        return said | (number or empty)


def person_row(said: Mapping[str, Any], keyring: Keyring, *, today: date) -> dict[str, Any]:
    """The checked columns of a new person. Raises InvalidInput naming the field."""
    reading = Reading(None, today, today, keyring)
    return answers.read(Newcomer, said, reading).columns()
