"""Codes in the words people use: the labels of docs/vocabulary.md, by group."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from directory.changes import (
    kind,
    kinds,  # noqa: F401 (registered by being imported)
    titles,
)
from directory.changes.asks import Input
from directory.changes.leaves import Leaf, leaves
from idp.web.audit_labels import AUDIT
from idp.web.i18n import birth, day, gettext, instant

_SAID: dict[str, dict[str, str]] = {
    "role": {
        "administrator": "Quản trị hệ thống",
        "hr_officer": "Cán bộ nhân sự",
        "application_owner": "Chủ ứng dụng",
        "auditor": "Kiểm toán viên",
    },
    "status": {
        "active": "Đang công tác",
        "suspended": "Đang tạm đình chỉ công tác",
        "left": "Đã thôi việc, nghỉ hưu",
    },
    "state": {
        "pending": "Đang chờ",
        "sent": "Đã gửi",
        "acknowledged": "Đã nhận",
        "verified": "Đã xác minh",
        "lapsed": "Đã tự hết hạn",
        "parked": "Chờ xử lý",
        "gone": "Không còn ở hệ thống đích",
        "superseded": "Đã được thay thế",
        "proposed": "Chờ phê duyệt",
        "approved": "Đã phê duyệt",
        "declined": "Đã từ chối",
        "withdrawn": "Đã rút",
        "scheduled": "Chờ đến ngày hiệu lực",
        "committed": "Đang hoàn tất",
        "settled": "Đã hoàn tất",
        "undone": "Đã hoàn tác",
        "attention": "Cần xử lý",
        "ready": "Sẵn sàng",
        "running": "Đang chạy",
        "done": "Đã xong",
        "active": "Đang hoạt động",
        "disabled": "Đã thu hồi tài khoản",
        "absent": "Chưa có tài khoản",
        "suspended": "Tạm đình chỉ",
        "left": "Đã rời cơ quan",
        "valid": "Có hiệu lực",
        "good": "Có hiệu lực",
        "not yet valid": "Chưa đến ngày",
        "issued": "Đã cấp",
        "requested": "Đã yêu cầu",
        "distrusted": "Không còn được tin cậy",
        "revoked": "Đã thu hồi",
        "expired": "Đã hết hạn",
    },
    "kind": {
        "primary": "Chính",
        "concurrent": "Kiêm nhiệm",
        "secondment": "Biệt phái",
        "acting": "Phụ trách, ủy quyền",
    },
    "second": {
        "wider_rights": "Về người có vai trò rộng hơn quyền của người đề nghị",
        "second_person": "Nhiều người trong một quyết định",
        "second_person_accounts": "Nhiều tài khoản bị thu hồi trong 24 giờ",
        "decided_by_two": "Hoàn tác việc hai người đã quyết định",
        "always_two": "Việc luôn cần hai người",
    },
    "access": {"lost": "Mất quyền", "kept": "Giữ quyền", "gained": "Thêm quyền"},
    "artefact": {
        "access": "Phiên đăng nhập và quyền truy cập",
        "accounts": "Tài khoản trong ứng dụng",
        "certificate.trust": "Độ tin cậy của chứng thư",
        "certificate.case": "Hồ sơ chứng thư",
        "device": "Thiết bị lưu khóa bí mật",
        "roles": "Vai trò quản trị",
        "slips": "Phiếu kích hoạt",
    },
    "effect": {
        "session.end": "Kết thúc phiên đăng nhập",
        "grant.end": "Thu hồi quyền truy cập của ứng dụng",
        "refresh.end": "Thu hồi refresh token",
        "logout.deliver": "Báo ứng dụng đăng xuất",
        "token.lapse": "Access token tự hết hạn",
        "account.create": "Cấp tài khoản",
        "account.update": "Cập nhật thông tin tài khoản",
        "account.move": "Chuyển tài khoản sang đơn vị mới",
        "account.disable": "Thu hồi tài khoản",
        "account.enable": "Mở lại tài khoản",
        "certificate.distrust": "Ngừng tin cậy chứng thư",
        "certificate.restore": "Tin cậy lại chứng thư",
        "certificate.revoke": "Thu hồi chứng thư",
        "certificate.request": "Yêu cầu cấp chứng thư mới",
        "certificate.withdraw": "Rút yêu cầu thu hồi chứng thư",
        "role.end": "Kết thúc vai trò quản trị",
        "role.restore": "Giữ lại vai trò quản trị",
        "slip.void": "Hủy phiếu kích hoạt",
        "slip.allow": "Cho phép người đề nghị in một phiếu",
        "password.void": "Hủy mật khẩu cũ",
        "factor.void": "Hủy cách xác thực thứ hai cũ",
    },
    "reason": {
        "unspecified": "Không nêu lý do",
        "affiliationChanged": "Thay đổi đơn vị công tác",
        "superseded": "Được thay thế",
        "cessationOfOperation": "Ngừng hoạt động",
        "keyCompromise": "Lộ khóa",
        "cACompromise": "Lộ khóa của tổ chức cấp",
        "certificateHold": "Tạm ngừng tin cậy",
        "privilegeWithdrawn": "Thu hồi quyền",
        "aACompromise": "Lộ khóa của tổ chức cấp thuộc tính",
    },
    "acr": {
        "urn:vn:aal:1": "một yếu tố",
        "urn:vn:aal:2": "hai yếu tố",
        "urn:vn:aal:3": "hai yếu tố, có sinh trắc học",
        "urn:vn:aal:4": "ba yếu tố",
    },
    "amr": {
        "pwd": "mật khẩu",
        "otp": "mã dùng một lần",
        "pop": "khóa trên thiết bị",
        "sc": "chứng thư trên thẻ hoặc USB token",
        "hwk": "khóa trong phần cứng",
        "pin": "mã PIN",
        "face": "khuôn mặt",
        "fpt": "vân tay",
        "sms": "tin nhắn",
        "break_glass": "phong bì khẩn cấp",
    },
    "request": {
        "first": "cấp lần đầu",
        "moved": "đã chuyển đơn vị công tác",
        "renewal": "chứng thư sắp hết hạn",
        "renamed": "họ tên đã thay đổi",
        "replacement": "chứng thư cũ không còn dùng được",
    },
    "bloc": {
        "party": "Khối Đảng",
        "government": "Khối chính quyền",
        "council": "Hội đồng nhân dân",
        "front": "Mặt trận và đoàn thể",
        "judiciary": "Khối tư pháp",
        "other": "Khác",
    },
    "evidence": {
        "unit_before": "Đơn vị cũ",
        "position_before": "Chức vụ cũ",
        "role_before": "Vai trò cũ",
        "unit": "Đơn vị mới",
        "position": "Chức vụ mới",
        "role": "Vai trò mới",
        "status": "Mã trả lời HTTP",
        "http_status": "Mã trả lời HTTP",
        "at": "Kiểm tra lúc",
        "probed_at": "Kiểm tra lúc",
        "sent_at": "Gửi lúc",
        "probe": "Kiểm tra tại",
        "active": "Còn dùng được",
        "action": "Việc đã làm",
        "remote_id": "Mã trong ứng dụng",
        "department": "Đơn vị trong ứng dụng",
        "title": "Chức vụ trong ứng dụng",
        "changed": "Mục đã đổi",
        "control": "Đối chứng",
        "password": "Mật khẩu",
        "bind": "Thử đăng nhập",
        "cut": "Hệ thống đích cắt ngắn",
        "unsent": "Không gửi được",
        "work_item": "Việc làm tay số",
        "due_at": "Hạn làm",
        "ldap_result": "Mã trả lời LDAP",
        "jti": "Mã logout token",
        "reason": "Lý do",
        "crl.listed": "Có trong danh sách thu hồi",
        "crl.number": "Số danh sách thu hồi",
        "crl.this_update": "Danh sách công bố lúc",
        "ocsp.status": "OCSP trả lời",
        "ocsp.reason": "Lý do theo OCSP",
        "ocsp.revoked_at": "Thu hồi từ lúc",
        "ocsp.produced_at": "OCSP trả lời lúc",
    },
    "work": {
        "created": "Tạo tài khoản",
        "updated": "Cập nhật tài khoản",
        "disabled": "Khóa tài khoản",
    },
    "attribute": {
        "displayName": "Họ và tên",
        "familyName": "Họ",
        "middleName": "Tên đệm",
        "givenName": "Tên",
        "email": "Thư điện tử",
        "phone": "Điện thoại",
        "title": "Chức vụ, chức danh",
        "department": "Đơn vị",
        "organization": "Cơ quan",
    },
    "action": {
        "created": "Đã tạo",
        "updated": "Đã cập nhật",
        "moved": "Đã chuyển",
        "disabled": "Đã khóa",
        "enabled": "Đã mở lại",
        "unchanged": "Không đổi",
        "absent": "Không có gì phải làm",
    },
    "control": {
        "before": "Chính tài khoản này trước khi thu hồi",
        "other": "Một tài khoản khác đang hoạt động",
        "none": "Không còn tài khoản nào khác đang hoạt động",
        "token": "Token kiểm chứng còn hiệu lực",
        "session": "Phiên kiểm chứng còn hiệu lực",
        "search": "Kết quả tìm kiếm",
        "entryUUID": "Mục gốc tìm thấy theo entryUUID",
    },
    "password": {"absent": "Không có"},
    "bind": {"refused": "Bị từ chối"},
    "ocsp": {
        "good": "Có hiệu lực",
        "not yet valid": "Chưa đến ngày",
        "revoked": "Đã thu hồi",
        "unknown": "Không rõ",
    },
    "job": {
        "account.apply": "Đồng bộ tài khoản",
        "logout.deliver": "Báo ứng dụng đăng xuất",
        "access.probe": "Xác minh đã mất quyền truy cập",
        "certificate.probe": "Xác minh trạng thái chứng thư",
        "crl.publish": "Công bố danh sách thu hồi",
        "subject.boundary": "Thay đổi đến ngày hiệu lực",
        "access.over": "Ghi và báo phiên đã kết thúc",
        "tree.boundary": "Cây đơn vị đến ngày thay đổi",
        "notice.send": "Gửi thông báo cho người dùng",
    },
    "notice": {
        "sent": "Đã gửi đi",
        "ready": "Đang chờ gửi",
        "running": "Đang gửi",
        "parked": "Chờ xử lý",
        "no_address": "Không gửi được: không có địa chỉ",
        "no_channel": "Không gửi: chưa có kênh nào",
        "left": "Không gửi: đã thôi việc",
        "restored": "Không gửi: hệ thống vừa được khôi phục",
    },
    "unit_kind": {
        "province": "Hệ thống chính trị tỉnh",
        "party_committee": "Cấp ủy Đảng",
        "party_office": "Văn phòng cấp ủy",
        "party_body": "Ban của cấp ủy",
        "building_party_board": "Ban Xây dựng Đảng",
        "inspection_commission": "Cơ quan Ủy ban Kiểm tra",
        "political_centre": "Trung tâm Chính trị",
        "peoples_council": "Hội đồng nhân dân tỉnh, xã",
        "council_board": "Ban của Hội đồng nhân dân",
        "peoples_committee": "Ủy ban nhân dân",
        "office": "Văn phòng",
        "department": "Sở, ban, ngành",
        "division": "Phòng chuyên môn",
        "economic_division": "Phòng Kinh tế",
        "culture_social_division": "Phòng Văn hóa - Xã hội",
        "agency": "Chi cục",
        "inspectorate": "Thanh tra",
        "management_board": "Ban quản lý",
        "service_centre": "Trung tâm Phục vụ hành chính công",
        "public_service_unit": "Đơn vị sự nghiệp công lập",
        "front_committee": "Ủy ban Mặt trận Tổ quốc",
        "mass_organisation": "Đoàn thể, hội quần chúng",
        "military": "Cơ quan quân sự",
        "police": "Công an",
        "court": "Tòa án nhân dân",
        "procuracy": "Viện kiểm sát nhân dân",
        "press": "Báo chí, phát thanh, truyền hình",
        "school": "Trường",
    },
    **AUDIT,
}


class Labels(Mapping[str, Mapping[str, str]]):
    """Groups of labels: those written down here, and those that the kinds of change bring."""

    def __getitem__(self, group: str) -> Mapping[str, str]:
        if group in _SAID:
            return _SAID[group]
        return titles.all_titles() if group == "change" else kind.choices()[group]

    def __iter__(self) -> Iterator[str]:
        return iter([*_SAID, "change", *kind.choices()])

    def __len__(self) -> int:
        return sum(1 for _ in self)


LABELS = Labels()


def label(group: str, code: object) -> str:
    """The words for a code, in the language in force; the code itself where there are none."""
    text = str(code)
    return gettext(LABELS[group].get(text, text))


def field_label(name: str) -> str:
    """What a form calls a field of a person; what only a line knows is called here."""
    return gettext(_SETTLED.get(name) or kind.words_of_fields().get(name, name))


_SETTLED = {
    "same_as": "Xác nhận là cùng một người với",
    "other_than": "Xác nhận là người khác với",
}


def told(code: str, chosen: Mapping[str, str]) -> list[tuple[str, str]]:
    """What was chosen for a change of this kind, in words: (field, value)."""
    found = kind.find(code)
    return [
        (gettext(leaf.ask.label), _chosen(leaf, chosen[leaf.name]))
        for leaf in (leaves(found.asks) if found else ())
        if leaf.name in chosen
    ]


def _chosen(leaf: Leaf, value: str) -> str:
    if leaf.input == Input.DAY:
        return day(date.fromisoformat(value))
    return gettext(leaf.words.get(value, value))


def field_value(name: str, value: Any) -> str:
    """What a line about a person says of her, as people write it; nothing for nothing."""
    if not value:
        return ""
    if name == "birth_date":
        return birth(str(value))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    words = next((w for g, w in kind.choices().items() if g.endswith(f".{name}")), {})
    return gettext(words.get(value, str(value)))


_WORDED = {
    "action": "action",
    "reason": "reason",
    "control": "control",
    "password": "password",
    "bind": "bind",
    "ocsp.reason": "reason",
    "ocsp.status": "ocsp",
}
"""Evidence whose value is a code with a label of its own."""
_INSTANTS = frozenset(code for code in LABELS["evidence"] if code.endswith(("at", "this_update")))
_INTERNAL = frozenset({"certificate", "marked"})
"""What a job keeps for itself."""


def evidence(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was seen of an effect, as (name, value) for people; the API gives it as it is stored."""
    return [
        (label("evidence", code), _shown(code, value))
        for code, value in _flat(detail)
        if value is not None and code not in _INTERNAL
    ]


def _flat(detail: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in detail.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _shown(code: str, value: Any) -> str:
    if isinstance(value, bool):
        return gettext("Có") if value else gettext("Không")
    if code in _WORDED:
        return label(_WORDED[code], value)
    if code in _INSTANTS:
        return instant(datetime.fromisoformat(value))
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)
