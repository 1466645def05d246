"""Codes in the words people use: the labels of docs/vocabulary.md, by group."""

from idp.i18n import gettext

LABELS: dict[str, dict[str, str]] = {
    "role": {
        "administrator": "Quản trị hệ thống",
        "hr_officer": "Cán bộ nhân sự",
        "application_owner": "Chủ ứng dụng",
        "auditor": "Kiểm toán viên",
    },
    "status": {
        "active": "Đang công tác",
        "suspended": "Tạm đình chỉ công tác",
        "left": "Đã thôi việc, nghỉ hưu",
    },
    "kind": {
        "primary": "Chính",
        "concurrent": "Kiêm nhiệm",
        "secondment": "Biệt phái",
        "acting": "Phụ trách, ủy quyền",
    },
    "change": {
        "join": "Tiếp nhận",
        "transfer": "Điều động",
        "suspend": "Tạm đình chỉ công tác",
        "resume": "Trở lại công tác",
        "leave": "Thôi việc, nghỉ hưu",
        "unit.create": "Thành lập đơn vị",
        "position.create": "Bổ sung danh mục chức vụ",
        "post.create": "Giao biên chế",
        "undo": "Hoàn tác",
    },
    "leave": {
        "retire": "Nghỉ hưu",
        "resign": "Thôi việc",
        "dismiss": "Buộc thôi việc",
        "die": "Từ trần",
        "end_of_contract": "Chấm dứt hợp đồng",
    },
    "access": {"lost": "Mất quyền", "kept": "Giữ quyền", "gained": "Thêm quyền"},
    "artefact": {
        "access": "Phiên đăng nhập và quyền truy cập",
        "accounts": "Tài khoản trong ứng dụng",
        "certificate.trust": "Độ tin cậy của chứng thư",
        "certificate.case": "Hồ sơ chứng thư",
        "device": "Thiết bị lưu khóa bí mật",
        "roles": "Vai trò quản trị",
    },
    "effect": {
        "session.end": "Kết thúc phiên đăng nhập",
        "grant.end": "Thu hồi quyền truy cập của ứng dụng",
        "refresh.end": "Thu hồi refresh token",
        "logout.deliver": "Báo ứng dụng đăng xuất",
        "token.lapse": "Access token tự hết hạn",
        "account.create": "Cấp tài khoản",
        "account.move": "Chuyển tài khoản sang đơn vị mới",
        "account.disable": "Thu hồi tài khoản",
        "account.enable": "Mở lại tài khoản",
        "certificate.distrust": "Ngừng tin cậy chứng thư",
        "certificate.restore": "Tin cậy lại chứng thư",
        "certificate.revoke": "Thu hồi chứng thư",
        "certificate.request": "Yêu cầu cấp chứng thư mới",
        "certificate.withdraw": "Rút yêu cầu thu hồi chứng thư",
        "role.end": "Kết thúc vai trò quản trị",
    },
    "reason": {
        "affiliationChanged": "Thay đổi đơn vị công tác",
        "superseded": "Được thay thế",
        "cessationOfOperation": "Ngừng hoạt động",
        "keyCompromise": "Lộ khóa",
        "certificateHold": "Tạm ngừng tin cậy",
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
        "crl_number": "Số danh sách thu hồi",
    },
    "job": {
        "account.apply": "Đồng bộ tài khoản",
        "logout.deliver": "Báo ứng dụng đăng xuất",
        "access.probe": "Xác minh đã mất quyền truy cập",
        "certificate.probe": "Xác minh trạng thái chứng thư",
        "crl.publish": "Công bố danh sách thu hồi",
        "subject.boundary": "Thay đổi đến ngày hiệu lực",
    },
}


def label(group: str, code: object) -> str:
    """The words for a code, in the language in force; the code itself where there are none."""
    text = str(code)
    return gettext(LABELS[group].get(text, text))
