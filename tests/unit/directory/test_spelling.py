"""Text of another encoding is told from Vietnamese, and from the names of other peoples."""

import pytest

from directory.base.spelling import garbled, is_syllable

MEANT = "Đặng Thị Thuỷ Tiên, xã Nghĩa Hưng: cường, thưởng, quyển, nguyệt"
FAMILY = [
    "Nguyễn",
    "Trần",
    "Lê",
    "Phạm",
    "Hoàng",
    "Huỳnh",
    "Phan",
    "Vũ",
    "Võ",
    "Đặng",
    "Bùi",
    "Đỗ",
    "Hồ",
    "Ngô",
    "Dương",
    "Lý",
    "Tô",
    "Hà",
    "La",
    "Mã",
    "Tạ",
]
GIVEN = [
    "An",
    "Anh",
    "Ánh",
    "Ân",
    "Bá",
    "Bảo",
    "Bé",
    "Bình",
    "Búp",
    "Cát",
    "Chí",
    "Công",
    "Cúc",
    "Cúi",
    "Cường",
    "Dân",
    "Diệu",
    "Dũng",
    "Đại",
    "Đức",
    "Giang",
    "Hà",
    "Hải",
    "Hân",
    "Hậu",
    "Hoà",
    "Hòa",
    "Hoàn",
    "Hú",
    "Huê",
    "Huệ",
    "Hùng",
    "Hường",
    "Ích",
    "Khá",
    "Khê",
    "Kiên",
    "Lài",
    "Lan",
    "Lâm",
    "Lê",
    "Lộc",
    "Luân",
    "Lý",
    "Mão",
    "Mến",
    "Mùi",
    "Mỹ",
    "Nga",
    "Ngà",
    "Nghĩa",
    "Ngọc",
    "Nhã",
    "Nhân",
    "Ninh",
    "Oanh",
    "Phú",
    "Phùng",
    "Phước",
    "Quá",
    "Quân",
    "Quế",
    "Quốc",
    "Quý",
    "Sáng",
    "Sâm",
    "Sơn",
    "Sử",
    "Tài",
    "Tân",
    "Thái",
    "Thanh",
    "Thảo",
    "Thâm",
    "Thìn",
    "Thoa",
    "Thuận",
    "Thùy",
    "Tiến",
    "Tín",
    "Toàn",
    "Tô",
    "Trà",
    "Trí",
    "Trúc",
    "Tú",
    "Tuân",
    "Tuấn",
    "Tùng",
    "Tý",
    "Uyên",
    "Út",
    "Vân",
    "Vĩ",
    "Viên",
    "Vũ",
    "Vương",
    "Xá",
    "Xuân",
    "Ý",
    "Yên",
    "Yến",
]
OTHERS = [
    "Y Blư Niê", "K'Brel", "H’Hen Niê Kđăm", "Điểu Krăc", "Rơ Châm H'Yéo", "Siu Blôc", "Ksor Phước",
    "Giàng A Páo", "Lò Văn Hặc", "Sùng Seo Lềnh", "Thạch Sô Phia", "Kim Thị Né", "Danh Út", "Y Gué",
    "François Müller", "Muñoz", "Björn Åkesson", "A", "Rah Lan H'Ê",
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILY)
def test_no_vietnamese_name_is_taken_for_another_encoding(family: str) -> None:
    for given in GIVEN:
        for name in (f"{family} {given}", f"{family} Thị {given}", f"{given}", given.upper()):
            assert garbled(name) is None, name
    assert all(is_syllable(word) for word in (family, *GIVEN))


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_peoples_name_is_taken_for_another_encoding(name: str) -> None:
    assert garbled(name) is None


def test_utf8_that_was_read_as_western_european_is_recognised() -> None:
    seen = MEANT.encode("utf-8").decode("latin-1")
    found = garbled(seen)
    assert found is not None
    assert (found.encoding, found.meant) == ("UTF-8", MEANT)


@pytest.mark.parametrize(
    ("seen", "encoding", "meant"),
    [
        ("§Æng V¨n C­êng", "TCVN3", "Đặng Văn Cường"),
        ("Phßng Tµi chÝnh - KÕ ho¹ch", "TCVN3", "Phòng Tài chính - Kế hoạch"),
        ("Ñaëng Vaên Cöôøng", "VNI", "Đặng Văn Cường"),
        ("Phoøng Taøi chính - Keá hoaïch", "VNI", "Phòng Tài chính - Kế hoạch"),
        ("NGUYEÃN VAÊN HIEÅN", "VNI", "NGUYỄN VĂN HIỂN"),
        ("DDa(.ng Va(n Cu+o+`ng", "VIQR", "Đặng Văn Cường"),
    ],
)
def test_old_encodings_are_named_with_what_they_would_be(
    seen: str, encoding: str, meant: str
) -> None:
    found = garbled(seen)
    assert found is not None
    assert (found.encoding, found.meant) == (encoding, meant)


@pytest.mark.parametrize("seen", ["Nguy?n V?n Hi?n", "Nguyễn V�n", "S? N?i v?"])
def test_lost_letters_are_never_guessed(seen: str) -> None:
    found = garbled(seen)
    assert found is not None
    assert found.meant is None
