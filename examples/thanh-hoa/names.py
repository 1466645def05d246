"""Vietnamese names as the people of Thanh Hóa bear them.

The shares are estimates by hand: family names by what is common in the province, peoples by the
former district a commune lies in. They give homonyms in natural numbers, names of two words
(`Vi Ón`), names whose middle word is `A`, and every letter with every tone.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple


class Weighted:
    """A closed list with shares, drawn from in one step."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self.values = list(shares)
        self.cumulative = list(accumulate(shares.values()))

    def draw(self, rng: Random) -> str:
        return rng.choices(self.values, cum_weights=self.cumulative)[0]


def falling(words: str) -> Weighted:
    """Words in order of frequency: each is a little rarer than the one before."""
    return Weighted({word: 1 / (rank + 6) for rank, word in enumerate(words.split())})


class People(NamedTuple):
    """How one people names its sons and daughters; an empty middle name is allowed."""

    family: Weighted
    middle_male: Weighted
    middle_female: Weighted
    given_male: Weighted
    given_female: Weighted


KINH_FAMILY = Weighted(
    {
        "Nguyễn": 26, "Lê": 19, "Phạm": 6.5, "Trịnh": 6, "Hoàng": 5.5, "Trần": 4.5, "Đỗ": 3.2,
        "Mai": 2.8, "Vũ": 2.6, "Bùi": 2.2, "Trương": 2.2, "Lường": 1.6, "Hà": 1.6, "Cao": 1.6,
        "Ngô": 1.6, "Lưu": 1.4, "Đặng": 1.2, "Đào": 1.1, "Tống": 0.9, "Dương": 0.9, "Hồ": 0.8,
        "Lại": 0.7, "Phan": 0.7, "Đinh": 0.7, "Thiều": 0.5, "Lương": 0.5, "Tạ": 0.4, "Nghiêm": 0.3,
        "Doãn": 0.3, "Quách": 0.3, "Tô": 0.3, "Chu": 0.3, "Đàm": 0.3, "Viên": 0.2, "Võ": 0.2,
        "Hứa": 0.2, "Văn": 0.2, "Cù": 0.15, "Khương": 0.15, "Ninh": 0.15, "Âu": 0.05, "Ứng": 0.05,
    }
)  # fmt: skip
KINH_GIVEN_MALE = falling(
    "Hùng Dũng Tuấn Anh Thắng Cường Sơn Nam Hải Long Minh Hiếu Trung Đức Quân Thành Hà Bình Tùng "
    "Linh Kiên Hoàng Huy Việt Dương Quang Tú Hưng Tâm Phương Toàn Tiến Chung Lâm Thanh Hòa Vinh "
    "Thịnh Giang Duy Đạt Khánh Lộc Mạnh Nghĩa Nhân Phong Phúc Phú Quý Sỹ Tài Tân Thái Thuận Trường "
    "Vũ Xuân Bảo Chính Công Đông Đồng Hiển Hợp Khoa Luân Lực Ngọc Oai Quyền Quyết Sáng Thế Thiện "
    "Thọ Trí Tuyên Văn Viên Yên Bắc Bằng Chiến Chức Cương Định Đoàn Huấn Kỳ Lý Mười Năm Nhật Ước"
)
KINH_GIVEN_FEMALE = falling(
    "Hương Hà Lan Hằng Thủy Hoa Huyền Trang Linh Nga Hạnh Thu Dung Hiền Yến Ngọc Phương Thảo Nhung "
    "Mai Oanh Thúy Tuyết Vân Loan Liên Hồng Hường Huệ Hòa Lý Minh Chi Anh Nguyệt Quỳnh Tâm Thơm "
    "Tươi Xuân Bích Châu Đào Hậu Hiên Hoài Lệ Lương Ngân Nhàn Phượng Sen Thoa Thơ Trâm Uyên Vui "
    "Hải Bình Thanh Tình Tuyến Thắm Thương Toan Tú Duyên Dịu Diệp Giang Hảo Khuyên Luyến Mơ My Mỹ "
    "Nụ Ninh Nhi Phúc Quế Quyên Soạn Thêu Thìn Thuận Thùy Tiên Trinh Tỵ Vinh Xoan Ý Ánh Cúc Gấm"
)
KINH_MIDDLE_MALE = Weighted(
    {
        "Văn": 34, "Đức": 6, "Xuân": 6, "Hữu": 5, "Quang": 5, "Ngọc": 5, "Đình": 5, "Minh": 4,
        "Trọng": 3, "Thanh": 3, "Công": 2, "Bá": 2, "Duy": 2, "Anh": 2, "Mạnh": 2, "Tuấn": 2,
        "Viết": 2, "Khắc": 2, "Huy": 1.5, "Thế": 1.5, "Sỹ": 1, "Hồng": 1, "Trung": 1, "Việt": 1,
        "Doãn": 0.5, "Như": 0.5, "Đăng": 0.5, "Hoàng": 0.7, "": 0.6,
    }
)  # fmt: skip
KINH_MIDDLE_FEMALE = Weighted(
    {
        "Thị": 50, "Thị Thu": 3.5, "Thị Thanh": 3, "Thị Hồng": 3, "Thị Ngọc": 3, "Thị Minh": 2,
        "Thị Thùy": 1.5, "Thị Kim": 1.5, "Thị Phương": 1.5, "Thị Mai": 1.5, "Thị Bích": 1,
        "Thị Lan": 1, "Ngọc": 2, "Thu": 2, "Thanh": 1.5, "Phương": 1.5, "Minh": 1, "Khánh": 0.7,
        "Thùy": 1, "Hồng": 1, "Bảo": 0.4, "Diệu": 0.4, "Quỳnh": 0.4, "Hoài": 0.3,
    }
)  # fmt: skip
UPLAND_GIVEN_MALE = falling(
    "Tuấn Hùng Thuyên Nhất Xuyên Sơn Dũng Tiến Thông Quyết Ngoan Thiếng Nương Khuyên Cương Ưng Inh "
    "Pánh Chưởng Nêm Hặc Duân Ngân Thiết Tâm Cường Bình Chiến Lâm Đại Toản Nghị Phướng Yêm Ích"
)
UPLAND_GIVEN_FEMALE = falling(
    "Hương Thủy Hà Nhung Hiền Thu Lan Thắm Ngoan Ón Liên Xuyến Nga Hồng Duyên Thêm Pọm Khuyên Xôm "
    "Nguyệt Chung Inh Tươi Yêu Hoa Bích Dung Piềng Oánh Hạnh Thơm Mến Dược Ươm Êm"
)
UPLAND_MIDDLE_MALE = Weighted(
    {"Văn": 62, "Xuân": 6, "Đình": 5, "Minh": 5, "Ngọc": 4, "Hồng": 3, "Thanh": 3, "": 3}
)
UPLAND_MIDDLE_FEMALE = Weighted({"Thị": 88, "Thị Thu": 3, "Thị Hồng": 3, "Ngọc": 2, "": 2})


def upland(family: Mapping[str, float]) -> People:
    return People(
        Weighted(family),
        UPLAND_MIDDLE_MALE,
        UPLAND_MIDDLE_FEMALE,
        UPLAND_GIVEN_MALE,
        UPLAND_GIVEN_FEMALE,
    )


PEOPLES = {
    "kinh": People(
        KINH_FAMILY,
        KINH_MIDDLE_MALE,
        KINH_MIDDLE_FEMALE,
        KINH_GIVEN_MALE,
        KINH_GIVEN_FEMALE,
    ),
    "muong": upland(
        {
            "Bùi": 26,
            "Quách": 16,
            "Phạm": 26,
            "Trương": 11,
            "Hà": 8,
            "Nguyễn": 5,
            "Cao": 4,
            "Đinh": 3,
        }
    ),
    "thai": upland(
        {
            "Hà": 24,
            "Vi": 20,
            "Lò": 14,
            "Lương": 14,
            "Phạm": 8,
            "Cầm": 6,
            "Lữ": 5,
            "Ngân": 5,
            "Lộc": 3,
        }
    ),
    "tho": upland(
        {"Lê": 30, "Trương": 22, "Lương": 12, "Nguyễn": 12, "Bùi": 8, "Vi": 5, "Quách": 4}
    ),
    "dao": upland({"Triệu": 44, "Phùng": 34, "Bàn": 22}),
    "khmu": upland({"Lương": 34, "Cút": 30, "Lò": 22, "Moong": 14}),
    "mong": People(
        Weighted({"Thao": 26, "Giàng": 24, "Hơ": 20, "Lâu": 16, "Sùng": 12, "Vàng": 2}),
        Weighted({"A": 60, "Văn": 34, "": 6}),
        Weighted({"Thị": 96, "": 4}),
        falling(
            "Dia Pó Chua Súa Dê Cở Lứ Thái Sếnh Páo Tông Chớ Nếnh Dơ Vạ Lâu Của Sự Lênh Só Pao"
        ),
        falling("Mỷ Dợ Mai Xua Chứ Dúa Sua Pà Ca Lia Ly Dở Nhia Máy Chá Sông Dính Gấu Mị Pla"),
    ),
}

# The peoples of each former district, in hundredths; what is missing to 100 is Kinh.
MINORITIES: dict[str, dict[str, float]] = {
    "Mường Lát": {"mong": 40, "thai": 41, "dao": 4, "khmu": 4, "muong": 3},
    "Quan Hóa": {"thai": 62, "muong": 25, "mong": 1},
    "Bá Thước": {"muong": 50, "thai": 33},
    "Quan Sơn": {"thai": 78, "muong": 8, "mong": 4},
    "Lang Chánh": {"thai": 52, "muong": 33},
    "Ngọc Lặc": {"muong": 68, "dao": 2, "thai": 2},
    "Cẩm Thủy": {"muong": 50, "dao": 3},
    "Thạch Thành": {"muong": 48},
    "Thường Xuân": {"thai": 50, "muong": 5},
    "Như Xuân": {"thai": 35, "tho": 22, "muong": 4},
    "Như Thanh": {"muong": 22, "thai": 15, "tho": 2},
    "Vĩnh Lộc": {"muong": 5},
    "Triệu Sơn": {"muong": 4, "thai": 2},
    "Thọ Xuân": {"muong": 4},
    "Hà Trung": {"muong": 2},
}
PROVINCE = {"muong": 4.0, "thai": 2.5, "mong": 0.5, "tho": 0.5}
LOWLAND = {"muong": 0.8, "thai": 0.4}


def mix(shares: Mapping[str, float]) -> Weighted:
    return Weighted({**shares, "kinh": 100 - sum(shares.values())})


def mix_of(former_district: str) -> Weighted:
    return mix(MINORITIES.get(former_district, LOWLAND))


MIX_OF_PROVINCE = mix(PROVINCE)


def full_name(rng: Random, gender: str, peoples: Weighted) -> str:
    people = PEOPLES[peoples.draw(rng)]
    if gender == "male":
        parts = (people.family, people.middle_male, people.given_male)
    else:
        parts = (people.family, people.middle_female, people.given_female)
    return join([part.draw(rng) for part in parts])


def join(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word)
