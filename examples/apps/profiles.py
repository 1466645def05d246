"""What differs between the two applications. Names, documents and case files are invented."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Role:
    """What an application calls a role, and what it asks of the people who hold it."""

    label: str
    task: str


@dataclass(frozen=True, slots=True)
class Item:
    """One line of work: a document to read, a case file to process."""

    number: str
    subject: str
    party: str
    due: date
    state: str


@dataclass(frozen=True, slots=True)
class Sample:
    """The pattern of a line: ``{unit}`` and ``{n}`` are filled in."""

    number: str
    subject: str
    party: str
    state: str


@dataclass(frozen=True, slots=True)
class ApplicationProfile:
    """One application: its face, its words, its sample work."""

    code: str
    title: str
    tagline: str
    work_title: str
    restricted_title: str
    """What is for those alone who have proven themselves by two factors."""
    columns: tuple[str, str, str, str, str]
    roles: Mapping[str, Role]
    default_task: str
    samples: tuple[Sample, ...]

    @property
    def session_cookie(self) -> str:
        """Cookies ignore ports: two applications on one host need two names."""
        return f"{self.code}_session"

    @property
    def login_cookie(self) -> str:
        """Ties a sign-in to the browser that started it."""
        return f"{self.code}_login"

    @property
    def language_cookie(self) -> str:
        """The language chosen on the page."""
        return f"{self.code}_lang"

    def role(self, code: str | None) -> Role:
        """The role an account names; one we do not know is shown as it is written."""
        if code is None:
            return Role("Chưa phân vai trò", self.default_task)
        return self.roles.get(code) or Role(code, self.default_task)

    def work(self, unit: str, *, today: date) -> list[Item]:
        """The work of a unit: the same for the same unit, so that a transfer is seen at once."""
        seed = int.from_bytes(hashlib.sha256(f"{self.code}:{unit}".encode()).digest()[:8])
        first = seed % len(self.samples)
        chosen = [self.samples[(first + i) % len(self.samples)] for i in range(6)]
        return [
            Item(
                number=sample.number.format(n=seed // 7 ** (i + 1) % 900 + 100),
                subject=sample.subject.format(unit=unit),
                party=sample.party,
                due=today + timedelta(days=(seed >> i) % 3 + 2 * i - 1),
                state=sample.state,
            )
            for i, sample in enumerate(chosen)
        ]


QLVB = ApplicationProfile(
    code="qlvb",
    title="Quản lý văn bản và điều hành",
    tagline="Văn bản đến, văn bản đi và công việc được giao của từng đơn vị.",
    work_title="Văn bản đến",
    restricted_title="Văn bản hạn chế",
    columns=("Số, ký hiệu", "Trích yếu", "Nơi gửi", "Hạn xử lý", "Trạng thái"),
    roles={
        "van_thu": Role("Văn thư", "Vào sổ, chuyển"),
        "chuyen_vien": Role("Chuyên viên", "Xử lý"),
        "lanh_dao": Role("Lãnh đạo", "Cho ý kiến"),
        "quan_tri": Role("Quản trị", "Theo dõi"),
    },
    default_task="Xử lý",
    samples=(
        Sample(
            "{n}/UBND-VP",
            "Về việc rà soát tiến độ giải quyết thủ tục hành chính tại {unit}",
            "Văn phòng UBND tỉnh",
            "Mới đến",
        ),
        Sample(
            "{n}/SNV-TCBC",
            "Đề nghị {unit} báo cáo số lượng cán bộ, công chức, viên chức",
            "Sở Nội vụ",
            "Đang xử lý",
        ),
        Sample(
            "{n}/STC-QLNS",
            "Hướng dẫn lập dự toán ngân sách năm sau",
            "Sở Tài chính",
            "Mới đến",
        ),
        Sample(
            "{n}/KH-UBND",
            "Kế hoạch chuyển đổi số của {unit}",
            "Ủy ban nhân dân tỉnh",
            "Chờ ý kiến",
        ),
        Sample(
            "{n}/GM-VP",
            "Giấy mời họp giao ban công tác tháng",
            "Văn phòng UBND tỉnh",
            "Mới đến",
        ),
        Sample(
            "{n}/SKHCN-CĐS",
            "Về việc sử dụng chữ ký số chuyên dùng công vụ",
            "Sở Khoa học và Công nghệ",
            "Đang xử lý",
        ),
        Sample(
            "{n}/TTr-NV",
            "Kết luận kiểm tra công vụ tại {unit}",
            "Thanh tra tỉnh",
            "Chờ ý kiến",
        ),
        Sample(
            "{n}/SYT-NVY",
            "Tăng cường phòng, chống dịch bệnh mùa mưa",
            "Sở Y tế",
            "Mới đến",
        ),
    ),
)

MOTCUA = ApplicationProfile(
    code="motcua",
    title="Một cửa điện tử",
    tagline="Tiếp nhận và trả kết quả giải quyết thủ tục hành chính.",
    work_title="Hồ sơ chờ xử lý",
    restricted_title="Dữ liệu cá nhân của người nộp",
    columns=("Mã hồ sơ", "Thủ tục hành chính", "Người nộp", "Hạn trả", "Trạng thái"),
    roles={
        "tiep_nhan": Role("Tiếp nhận hồ sơ", "Kiểm tra, tiếp nhận"),
        "chuyen_vien": Role("Chuyên viên xử lý", "Thẩm định"),
        "lanh_dao": Role("Lãnh đạo phê duyệt", "Phê duyệt"),
        "quan_tri": Role("Quản trị", "Theo dõi"),
    },
    default_task="Thẩm định",
    samples=(
        Sample("MC-{n}-01", "Đăng ký khai sinh", "Lê Thị Mẫu A", "Mới tiếp nhận"),
        Sample("MC-{n}-02", "Đăng ký kết hôn", "Trần Văn Mẫu B", "Đang thẩm định"),
        Sample(
            "MC-{n}-03",
            "Chứng thực bản sao từ bản chính",
            "Nguyễn Thị Mẫu C",
            "Chờ phê duyệt",
        ),
        Sample(
            "MC-{n}-04",
            "Xác nhận tình trạng hôn nhân",
            "Phạm Văn Mẫu D",
            "Mới tiếp nhận",
        ),
        Sample(
            "MC-{n}-05",
            "Đăng ký thành lập hộ kinh doanh",
            "Hoàng Thị Mẫu Đ",
            "Đang thẩm định",
        ),
        Sample(
            "MC-{n}-06",
            "Đăng ký biến động quyền sử dụng đất",
            "Lê Văn Mẫu E",
            "Chờ bổ sung giấy tờ",
        ),
        Sample("MC-{n}-07", "Trợ cấp xã hội hằng tháng", "Bùi Thị Mẫu G", "Đang thẩm định"),
        Sample("MC-{n}-08", "Cấp giấy phép xây dựng nhà ở", "Đỗ Văn Mẫu H", "Chờ phê duyệt"),
    ),
)

PROFILES = {profile.code: profile for profile in (QLVB, MOTCUA)}
