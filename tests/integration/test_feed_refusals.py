"""Bad rows and bad files of a feed: the exact refusal, the good rows kept, nothing half-applied."""

from pathlib import Path
from typing import Any

import pytest

from directory.base.audit import Actor
from directory.base.errors import InvalidInput
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from tests.properties.conftest import dump

POSITIONS = "code,name,group,rank,bloc,leadership,signing_authority,sensitivity\n"
UNITS = "code,parent,name,short_name,kind,bloc,tier,legal_person,gso,valid_from\n"
POSTS = "unit,position,headcount\n"
PEOPLE = "source_key,full_name,birth_date,gender,citizen_number,email,phone\n"
ASSIGNMENTS = (
    "source_key,person,unit,position,kind,valid_from,valid_to,planned_end,"
    "decision_number,decision_issued_on,decision_issuer\n"
)
GOOD = {
    "positions.csv": POSITIONS + "CV,Chuyên viên,,50,government,false,false,normal\n",
    "units.csv": UNITS
    + "T,,Tỉnh,Tỉnh,province,other,province,false,38,2025-07-01\n"
    + "T.X,T,UBND xã Hà Trung,Hà Trung,peoples_committee,government,commune,true,15271,2025-07-01\n",
    "posts.csv": POSTS + "T.X,CV,2\n",
    "people.csv": PEOPLE + "p1,Nguyễn Văn Hiển,1980-02-03,male,003080000001,hien@th.example,\n",
    "assignments.csv": ASSIGNMENTS + "a1,p1,T.X,CV,primary,2025-07-01,,,12/QĐ,2025-06-30,Tỉnh ủy\n",
}

# file, the rows added to the good ones, refused row, field, message
REFUSED = [
    (
        "positions.csv",
        "cv2,Phó phòng,,cao,government,false,false,normal",
        3,
        "rank",
        "Phải là số nguyên",
    ),
    ("positions.csv", "CV3,,,5,government,false,false,normal", 3, "name", "không được để trống"),
    ("positions.csv", "CV3,Thư ký,,5,quân đội,false,false,normal", 3, "bloc", "danh mục"),
    ("positions.csv", "CV3,Thư ký,,5,party,tùy,false,normal", 3, "leadership", "true hoặc false"),
    (
        "positions.csv",
        "CV,Tên khác,,50,government,false,false,normal",
        3,
        "code",
        "lặp lại trong tệp",
    ),
    ("positions.csv", "CV3,Thư ký,,5", 3, "*", "không đủ hoặc thừa cột"),
    (
        "units.csv",
        "T.Y,T.KHONG,Phòng,Phòng,office,government,internal,false,,2025-07-01",
        4,
        "parent",
        "Không có đơn vị cấp trên",
    ),
    (
        "units.csv",
        "T.Y,T,Phòng,Phòng,office,government,tầng,false,,2025-07-01",
        4,
        "tier",
        "danh mục",
    ),
    (
        "units.csv",
        "T.Y,T,Phòng,Phòng,office,government,internal,false,,31/06/2025",
        4,
        "valid_from",
        "không có trong lịch",
    ),
    (
        "units.csv",
        "T.Y,T,Phòng,Phòng,office,government,internal,false,,tháng 6/2025",
        4,
        "valid_from",
        "năm-tháng-ngày",
    ),
    (
        "units.csv",
        "T.Y,T,Phòng,Phòng,office,government,internal,false,,",
        4,
        "valid_from",
        "Thiếu ngày",
    ),
    (
        "units.csv",
        "T.Y,T,Phòng,Phòng,office,government,internal,false,15271,2025-07-01",
        4,
        "*",
        "đang thuộc về một đơn vị khác",
    ),
    (
        "units.csv",
        "T.Y,T.Z,A,A,office,government,internal,false,,2025-07-01\nT.Z,T.Y,B,B,office,government,internal,false,,2025-07-01",
        4,
        "parent",
        "Không có đơn vị cấp trên",
    ),
    ("posts.csv", "T.X,KHONGCO,2", 3, "position", "Không có mã"),
    ("posts.csv", "T.X,CV,-1", 3, "headcount", "Phải là số nguyên"),
    ("people.csv", "p2,,1980-02-03,male,003080000002,,", 3, "full_name", "không được để trống"),
    (
        "people.csv",
        "p2,Lê Lan,31/2/1980,female,003080000002,,",
        3,
        "birth_date",
        "không có trong lịch",
    ),
    (
        "people.csv",
        "p2,Lê Lan,1980-02-30,female,003080000002,,",
        3,
        "birth_date",
        "không có trong lịch",
    ),
    (
        "people.csv",
        "p2,Lê Lan,tháng 2/1980,female,003080000002,,",
        3,
        "birth_date",
        "Ngày sinh phải là ngày",
    ),
    ("people.csv", "p2,Lê Lan,1980,nữ,003080000002,,", 3, "gender", "danh mục"),
    ("people.csv", "p2,Lê Lan,1980,female,00308000000,,", 3, "citizen_number", "đúng 12 chữ số"),
    ("people.csv", "p2,Lê Lan,1980,female,00308000000A,,", 3, "citizen_number", "đúng 12 chữ số"),
    ("people.csv", "p2,Lê Lan,1980,female,003080000001,,", 3, "*", "số định danh này"),
    (
        "people.csv",
        "p2,Lê Lan,1980,female,,lan(at)th.example,",
        3,
        "email",
        "Thư điện tử không hợp lệ",
    ),
    ("people.csv", "p2,Lê Lan,1980,female,,,090-123", 3, "phone", "Số điện thoại không hợp lệ"),
    ("people.csv", "p1,Người Khác,1980,female,,,", 3, "key", "lặp lại trong tệp"),
    (
        "people.csv",
        "p2,<script>alert(1)</script>,1980,female,,,",
        3,
        "full_name",
        "ký tự không hợp lệ",
    ),
    ("assignments.csv", "a2,p9,T.X,CV,primary,2025-07-01,,,,,", 3, "person", "Không có người p9"),
    ("assignments.csv", "a2,p1,T.KHONG,CV,concurrent,2025-07-01,,,,,", 3, "unit", "Không có mã"),
    ("assignments.csv", "a2,p1,T.X,CV,chính,2025-07-01,,,,,", 3, "kind", "danh mục"),
    (
        "assignments.csv",
        "a2,p1,T.X,CV,concurrent,2025-07-01,2025-07-01,,,,",
        3,
        "valid_to",
        "sau ngày bắt đầu",
    ),
    (
        "assignments.csv",
        "a1,p1,T.X,CV,concurrent,2025-07-01,,,,,",
        3,
        "source_key",
        "lặp lại trong tệp",
    ),
    (
        "assignments.csv",
        "a2,p1,T.X,CV,concurrent,2025-08-01,,,,,",
        3,
        "person",
        "cần một quyết định",
    ),
]


def run(services: Any, folder: Path) -> Report:
    feed = Feed(
        services.db,
        services.door,
        Actor.operator("kiểm thử"),
        services.clock,
        lambda *_: None,
        Report(),
    )
    return load(feed, folder)


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, body in files.items():
        (folder / name).write_text(body, "utf-8")
    return folder


def state(services: Any) -> dict[str, Any]:
    """Everything but the note that a feed was run."""
    tables = dump(services.db)
    tables["audit_entry"] = [r for r in tables["audit_entry"] if "feed.load" not in r]
    return tables


@pytest.mark.parametrize(("file", "rows", "line", "field", "message"), REFUSED)
def test_a_bad_row_is_refused_by_number_and_changes_nothing(
    services: Any, tmp_path: Path, file: str, rows: str, line: int, field: str, message: str
) -> None:
    run(services, write(tmp_path / "feed", GOOD))
    before = state(services)
    report = run(services, write(tmp_path / "feed", {file: GOOD[file] + rows + "\n"}))
    assert [(e.file, e.row, e.field) for e in report.errors][:1] == [(file, line, field)]
    assert message in report.errors[0].message
    assert state(services) == before


@pytest.mark.parametrize(
    ("file", "body", "code"),
    [
        ("people.csv", PEOPLE.replace("full_name", "ho_ten"), "header"),
        ("people.csv", PEOPLE.replace("phone", "email"), "header"),
        ("people.csv", "", "header"),
        ("units.csv", UNITS + 'T,"chưa đóng', "csv"),
    ],
)
def test_an_unusable_file_is_refused_as_a_whole(
    services: Any, tmp_path: Path, file: str, body: str, code: str
) -> None:
    run(services, write(tmp_path / "feed", GOOD))
    before = state(services)
    with pytest.raises(InvalidInput) as refused:
        run(services, write(tmp_path / "feed", {file: body}))
    assert refused.value.code == code
    assert state(services) == before


def test_a_file_in_another_encoding_is_refused(services: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "feed", GOOD)
    (folder / "people.csv").write_bytes(
        PEOPLE.encode() + "p2,Lê Hiển,,,,,\n".encode("cp1258", "replace")
    )
    before = state(services)
    with pytest.raises(InvalidInput) as refused:
        run(services, folder)
    assert refused.value.code == "encoding"
    assert not [r for r in state(services)["users"] if r not in before["users"]]


def test_good_rows_beside_a_bad_one_are_applied(services: Any, tmp_path: Path) -> None:
    people = GOOD["people.csv"] + "p2,Lê Lan,xưa,female,,,\np3,Hà Mai,1990,female,,,\n"
    posts = GOOD["assignments.csv"] + "a3,p3,T.X,CV,primary,2025-07-01,,,,,\n"
    report = run(
        services, write(tmp_path / "feed", GOOD | {"people.csv": people, "assignments.csv": posts})
    )
    assert report.added["people.csv"] == 2
    assert [(e.row, e.field) for e in report.errors] == [(3, "birth_date")]
    report.write(tmp_path / "refused.csv")
    assert "people.csv,3,birth_date" in (tmp_path / "refused.csv").read_text("utf-8")


def test_a_person_is_applied_whole_or_not_at_all(services: Any, tmp_path: Path) -> None:
    people = GOOD["people.csv"] + "p2,Lê Lan,1980,female,,,\n"
    posts = GOOD["assignments.csv"] + "a2,p2,T.X,KHONGCO,primary,2025-07-01,,,,,\n"
    report = run(
        services, write(tmp_path / "feed", GOOD | {"people.csv": people, "assignments.csv": posts})
    )
    assert report.added["people.csv"] == 1
    assert {(e.file, e.field) for e in report.errors} == {
        ("assignments.csv", "position"),
        ("people.csv", "source_key"),
    }


def test_a_headcount_is_never_exceeded(services: Any, tmp_path: Path) -> None:
    people = GOOD["people.csv"] + "p2,Lê Lan,1980,,,,\np3,Hà Mai,1981,,,,\n"
    posts = GOOD["assignments.csv"] + "".join(
        f"a{n},p{n},T.X,CV,primary,2025-07-01,,,,,\n" for n in (2, 3)
    )
    report = run(
        services, write(tmp_path / "feed", GOOD | {"people.csv": people, "assignments.csv": posts})
    )
    assert report.added["people.csv"] == 2
    assert [(e.row, "đã đủ số lượng" in e.message) for e in report.errors] == [(4, True)]


def test_loading_the_same_folder_twice_changes_nothing(services: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "feed", GOOD)
    run(services, folder)
    before = state(services)
    report = run(services, folder)
    assert not report.errors
    assert sum(report.added.values()) == 0
    assert report.unchanged == dict.fromkeys(GOOD, 1) | {"units.csv": 2}
    assert state(services) == before
