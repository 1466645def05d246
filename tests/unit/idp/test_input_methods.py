"""What input methods do to what people type: our model of them, and what follows for passwords."""

import unicodedata

import pytest

from directory.base.text import username_base
from idp.factors import paper_code, passwords
from idp.factors.passwords.generated import SYLLABLES
from tests.telex_and_vni import NANG, Method, telex, vni

BOTH = pytest.mark.parametrize("method", [telex, vni], ids=["telex", "vni"])


@pytest.mark.parametrize(
    ("keys", "stands"),
    [
        ("start", "stảt"),  # fcitx5-unikey#40
        *(("hoas", "hóa"), ("hosa", "hóa"), ("thuyr", "thủy"), ("toans", "toán"), ("quys", "quý")),
        *(("dduowngf", "đường"), ("ddwowngf", "đường"), ("nguoiwf", "người"), ("vieejt", "việt")),
        *(
            ("khuyeens", "khuyến"),
            ("gias", "giá"),
            ("tuaans", "tuấn"),
            ("ass", "as"),
            ("aaa", "aa"),
        ),
        *(
            ("xxx", "xxx"),
            ("admin", "admin"),
            ("Dd", "Đ"),
            ("DDOOS", "ĐỐ"),
            ("muaf thu", "mùa thu"),
        ),
    ],
)
def test_telex_is_as_its_makers_say(keys: str, stands: str) -> None:
    assert telex.field(keys) == stands


@pytest.mark.parametrize(
    ("keys", "stands"),
    [
        *(("hoa1", "hóa"), ("ho1a", "hóa"), ("d9u7o7ng2", "đường"), ("vie6t5", "việt")),
        *(("ma65t", "mật"), ("kha63u", "khẩu"), ("a11", "a1"), ("x1", "x1"), ("2025", "2025")),
        *(("thanhhoa2025", "thanhhọa"), ("an-2025", "an-2025")),
    ],
)
def test_vni_is_as_its_makers_say(keys: str, stands: str) -> None:
    assert vni.field(keys) == stands


@BOTH
@pytest.mark.parametrize("inline", [True, False])
def test_what_is_meant_arrives(method: Method, *, inline: bool) -> None:
    meant = "uống nước nhớ nguồn mật khẩu Thanh Hóa đường Quỳnh thuở khuya xoăn giữa Huế Đắk Lắk"
    for word in meant.split():
        stands = method.field(method.keys(word, inline=inline))
        assert passwords.canonical(stands) == passwords.canonical(word), word


@BOTH
def test_one_password_whichever_method_and_whichever_place_of_the_tone(method: Method) -> None:
    newer = Method(method.tones, method.shapes, method.undo, method.lone, newer=True)
    for word in ("hòa", "khỏe", "thúy", "loạ xoạ", "Thanh Hóa", "thuỷ chung", "đoá hoa"):
        old, new = method.field(method.keys(word)), newer.field(newer.keys(word))
        assert passwords.canonical(old) == passwords.canonical(new)
        apart = unicodedata.normalize("NFD", new)
        assert passwords.canonical(apart) == passwords.canonical(old)


@BOTH
def test_passwords_that_we_make_arrive_whatever_is_on(method: Method) -> None:
    """Somebody copies them from paper."""
    assert [each for each in SYLLABLES if method.field(each) != each] == []
    for _ in range(60):
        made = passwords.generate_password()
        assert method.field(made) == made


@BOTH
def test_codes_on_paper_arrive_whatever_is_on(method: Method) -> None:
    for _ in range(60):
        printed = paper_code.grouped(paper_code.new())
        assert method.field(printed) == printed


CHOSEN = [
    "correcthorse",
    "dragonfly2025",
    "windows11pro",
    "thanhhoa36",
    "hoasen2025",
    "sunshine88",
    "letmein12",
    "basketball",
    "chelsea99",
    "liverpool05",
    "starwars77",
    "football11",
    "master2024",
    "passwordx",
    "flowerpower",
    "summertime",
    "sweetheart",
    "fourfourtwo",
    "access2024",
    "dofuscraft",
    "warrior55",
    "wonderwall",
    "jasmine2012",
    "arsenalfc",
    "matrix1999",
    "sierra117",
    "barcelona10",
    "vnpt@2025",
    "ioffice@123",
    "qlvb2025",
    "egov123456",
    "tabmis2024",
    "kT9#vLw2!qZm4Rx",
    "xq7hvm2p9",
    "aodai2025",
    "saigon1975",
    "hanoi36pho",
    "danang2011",
    "nhatrang79",
    "cantho1234",
    "haiphong16",
    "quangninh14",
    "bacgiang98",
    "thainguyen20",
    "vinhphuc88",
    "ngheanxunghe",
    "thanhnien2k",
    "tuoitre2020",
    "laodong1929",
    "nongdan1930",
    "phunu2010",
    "congdoan28",
    "cuuchienbinh",
    "banh-chung-xanh-7",
    "gao-nep-cai-hoa",
    "ruou-can-5",
    "nem-chua-36",
    "keo-lac-12",
    "tuong-ban-9",
    "mam-tom-3",
]


def arrives(method: Method, keys: str) -> bool:
    """Whether these keys leave themselves; else a mark says so, or a key took another back."""
    stands = method.field(keys)
    if stands == keys:
        return True
    assert passwords.has_marks(stands) or (stands.isascii() and len(stands) < len(keys)), keys
    return False


@BOTH
def test_whatever_arrives_changed_bears_a_mark_and_brings_the_hint(method: Method) -> None:
    """Sixty passwords of ASCII. Only where a key is pressed twice does nothing show."""
    assert len(CHOSEN) >= 60
    changed = [each for each in CHOSEN if not arrives(method, each)]
    hinted = [each for each in changed if passwords.has_marks(method.field(each))]
    assert len(hinted) > len(changed) / 2 > 10
    assert not any(map(passwords.has_marks, CHOSEN))


@BOTH
def test_user_names_arrive_or_bring_the_hint(method: Method) -> None:
    names = [username_base(name) for name in ("Nguyễn Văn Hiển", "Lê Thị Hoa", "Trần Xuân Soạn")]
    came = [arrives(method, name) for name in (*names, "hiennv2", "tuanna", "hoasx", "dungdd")]
    assert came[0]
    assert not all(came)


def test_marks_are_seen_however_they_are_composed() -> None:
    for text in ("ế", "e\u0302\u0301", "đ", "Đ", "abc" + NANG, "ộ", "Ư"):
        assert passwords.has_marks(text)
    for text in ("", "abc XYZ 019 !@#", "🙂", "\u200b", "中文"):
        assert not passwords.has_marks(text)
