"""The demonstration's guide, whoever is left to try it with."""

from pathlib import Path
from typing import Any

import pytest

from examples.demo.ground import Ground
from examples.demo.guide import _Pages
from examples.demo.standing import Official

APP = {"qlvb": "Quản lý văn bản và điều hành", "motcua": "Một cửa điện tử"}
USER = {"username": "hoa", "password": "mot-hai-ba", "name": "Lê Thị Hoa", "roles": ["official"]}
OFFICER = {
    "username": "phuc",
    "password": "bon-nam-sau",
    "name": "Trịnh Đình Phúc",
    "part": "Cán bộ nhân sự toàn tỉnh",
    "roles": ["hr_officer"],
    "over": "Thanh Hóa",
    "totp": {"secret": "JBSWY3DPEHPK3PXP" * 2, "digits": 6, "period": 30},
}
VALUES: dict[str, Any] = {
    "issuer": "http://localhost:8000",
    "users": [OFFICER, USER],
    "apps": [
        {"code": code, "name": name, "url": f"http://localhost:800{n}"}
        for n, (code, name) in enumerate(APP.items(), 1)
    ],
    "eid": {"title": "VNeID (mô phỏng)"},
    "slip": {
        "name": "Bùi Ngọc Cường",
        "code": "1234 5678 9012 3456",
        "url": "http://localhost:8000/activate/1234567890123456",
        "until": "08/12/2026 04:16",
        "birth_date": "1976-12-25",
    },
    "guide": "http://localhost:8004/secret/",
}


def of(*applications: str) -> Official:
    return Official(USER, "", 1, applications, moved=True, goal={}, goal_unit="", goal_position="")


@pytest.mark.parametrize(
    ("movers", "restricted"),
    [
        ([], "Restricted documents"),
        ([of()], "Restricted documents"),
        ([of("motcua"), of("qlvb"), of("qlvb", "motcua")], "Restricted documents"),
        ([of("motcua"), of("motcua")], "Applicants&#39; personal data"),
    ],
)
def test_each_is_sent_to_what_she_works_with_today(movers: list[Official], restricted: str) -> None:
    found = _Pages(Ground(Path(), 8000, 300), VALUES, movers).answer("/secret/", {"lang": ["en"]})
    assert found is not None
    page = found[1].decode()
    assert restricted in page
    assert "HR officer (Thanh Hóa)" in page


@pytest.mark.parametrize("path", ["/", "/secret", "/secre/", "/secret/../x", "/secret/guide.html"])
def test_nothing_is_told_where_the_path_is_not_known(path: str) -> None:
    assert _Pages(Ground(Path(), 8000, 300), VALUES, []).answer(path, {}) is None
