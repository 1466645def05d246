"""What is said of passwords that people here really choose; verdicts written from judgement.

``weak``    guessed whatever is asked besides
``second``  good enough where a second factor is demanded, not alone
``alone``   good enough to be all that is asked
"""

import pytest

from idp.factors.passwords import Kind, Rule, Verdict
from idp.factors.passwords.known import words
from idp.factors.passwords.own import Own, words_of
from idp.factors.passwords.strength import judge
from tests.telex_and_vni import telex, vni

ALONE, SECOND = Rule(14, 40), Rule(8, 30)
P, N, C, H = Kind.PLACE, Kind.NAME, Kind.COMMON, Kind.OWN
F, S, Y, D = Kind.OFFICE, Kind.SAYING, Kind.YEAR, Kind.DATE
W, R, T = Kind.PASSWORD, Kind.REPEAT, Kind.PHONE


@pytest.fixture(scope="module")
def hanh() -> Own:
    """Nguyễn Thị Hồng Hạnh, hanhnth, born 12 March 1985."""
    return words_of("Nguyễn Thị Hồng Hạnh", "hanhnth", "1985-03-12")


WEAK = {
    # a place and something that everybody adds
    "Thanhhoa@2025": {P, Y},
    "thanhhoa36": {P},
    "ThanhHoa@36": {P},
    "Thanh Hóa 2025": {P, Y},
    "Thanh Hoá 2025": {P, Y},
    "THANHHOA@123": {P},
    "Hanoi@2026!": {P, Y},
    "Nghean37@@": {P},
    "HamRong@2025": {P, Y},
    "HacThanh2025!": {P, Y},
    "bimson123": {P},
    "Samson@2024": {P, Y},
    "Th@nhH0a2025": {P, Y},
    # the same where no input method turned keys into letters
    "Thanhhoas@2025": {P, Y},
    "thanhhoa1@2025": {P, Y},
    "ngheej an 37": {P},
    "nghe65an2025": {P, Y},
    "ma65t kha63u": {C},
    "maatj khaaur": {C},
    "mat65khau63": {C},
    "maajtkhaaru1": {C},
    # what everybody takes
    "matkhau1": {C},
    "matkhau@123": {C},
    "Mật khẩu 123": {C},
    "P@ssw0rd": {W},
    "Admin@123": set(),
    "Abc@1234": set(),
    "Aa123456@": {W},
    "abcd1234": {W},
    "iloveyou520": set(),
    "letmein!!": set(),
    "Dragon2024": {Y},
    "facebook@123": set(),
    "sunshine1": {W},
    # rows of keys, digits, repetitions
    "qwerty@2025": {Y},
    "1qaz2wsx": {W},
    "1qaz@WSX": {W},
    "Zxcvbnm@1": set(),
    "123456789": {W},
    "147258369": {W},
    "aaaaaaaa1": {R},
    "abcabcabcabc": {R},
    # her own
    "12031985": {H},
    "12/03/1985": {D},
    "120385hanh": {H},
    "hanhnth@123": {H},
    "HongHanh1985": {H},
    "NguyenThiHongHanh": {H},
    "hồng hạnh 12031985": {H},
    "hongfhanhj85": {H},
    # other people's, dates, telephones
    "Nguyenvanan@1": {N},
    "tuananh99": {N},
    "TuanAnh@2001": {N, Y},
    "15/08/1990": {D},
    "01011990": {W},
    "05061988": {D},
    "0987654321": set(),
    "0904177236": {T},
    # love, home, work, sayings
    "anhyeuem123": {C},
    "emyeuanh@@": {C},
    "giadinh@123": {C},
    "hanhphuc2025": {C, Y},
    "SoNoiVu@2025": {F, Y},
    "UBND@2025": {F, Y},
    "tinhuythanhhoa": {F, P},
    "vietnamvodich": {C},
    "DocLapTuDo1945": {S, Y},
    "uongnuocnhonguon": {S},
    # long, and no better for it
    "NguyenThiHongHanh12031985": {H},
    "CongHoaXaHoiChuNghiaVietNam": {S},
    "qwertyuiop123456789": {W},
    "thanhhoathanhhoathanhhoa": {R},
    "matkhau1matkhau1matkhau1": {R},
    "Mật khẩu của tôi": {C},
    "VanPhongTinhUyThanhHoa2025": {F, P, Y},
    "không có gì quý hơn độc lập tự do": {S},
    "12345678901234567890": {R},
}
BESIDE_A_SECOND_FACTOR = (
    *("kT9#vLw2", "xq7hvm2p", "ghềnh-bếp-58", "tre nứa ghềnh 5", "thuyền-nan-gió"),
    "ThanhHoa36@HamRong2025",
)
ALONE_ENOUGH = (
    *("con trâu đội nón lá", "bếp củi reo vui sớm mai", "xanh-tre-nứa-7-ghềnh", "kT9#vLw2!qZm4Rx"),
    *("ngon lua tim reo tren doi", "gạch bông rêu phơi thóc mới", "Vt7%pQ2z!Lx9sKd"),
    *("hai mươi ba con cá bơi ngược", "xoài chua chấm muối Tây Ninh ngon tuyệt"),
    *("Lan mua 3 cân cam sành ở chợ Vườn Hoa", "correct-donkey-marble-lantern"),
    "beeps cuir reo vui sowms mai nawngs",
)


@pytest.mark.parametrize("password", WEAK)
def test_what_is_guessed_is_weak_and_says_why(password: str, hanh: Own) -> None:
    for rule in (SECOND, ALONE):
        judged = judge(password, by=rule, own=hanh)
        assert not judged.accepted
        assert WEAK[password] <= {part.kind for part in judged.parts}
        assert judged.verdict is (
            Verdict.SHORT if len(password) < rule.least else Verdict.WEAK
        ) or (
            judged.parts[0].kind is W  # what everybody knows is that before it is short
        )


@pytest.mark.parametrize("password", BESIDE_A_SECOND_FACTOR)
def test_what_withstands_few_guesses_needs_a_second_factor(password: str, hanh: Own) -> None:
    assert judge(password, by=SECOND, own=hanh).accepted
    assert not judge(password, by=ALONE, own=hanh).accepted


@pytest.mark.parametrize("password", ALONE_ENOUGH)
def test_some_words_that_have_nothing_to_do_with_each_other_are_enough(
    password: str, hanh: Own
) -> None:
    assert judge(password, by=ALONE, own=hanh).accepted


def test_parts_are_told_by_their_place(hanh: Own) -> None:
    judged = judge("Thanhhoas@2025", by=SECOND, own=hanh)
    assert [(p.kind, p.start, p.end) for p in judged.parts] == [(P, 0, 9), (Y, 10, 14)]


@pytest.mark.parametrize(
    "word",
    [
        "Thanh Hóa",
        "mật khẩu",
        "Hương Giang",
        "Đắk Nông",
        "Nguyễn",
        "Trường Sa",
        "uống nước nhớ nguồn",
    ],
)
def test_keystrokes_of_a_word_are_that_word(word: str) -> None:
    """Whatever a user with the input method off leaves in the field (a simulator of our own)."""
    for keys in (
        telex.keys(word),
        telex.keys(word, inline=True),
        vni.keys(word),
        vni.keys(word, inline=True),
    ):
        assert words().look(keys.lower().replace(" ", "")) is not None, keys


def test_the_longest_password_is_judged_in_no_time(hanh: Own) -> None:
    """Others' estimates overflow, or take minutes."""
    for long in ("ế" * 1365, "ab" * 2048, "Thanhhoa@2025" * 300, "qwerty1!" * 500, "0" * 4096):
        judge(long, by=ALONE, own=hanh)
