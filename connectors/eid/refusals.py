"""Why somebody is not let in by an electronic identity: each reason with what to do about it."""

from enum import StrEnum

from directory.base.errors import DinhdanhError


class Why(StrEnum):
    """The reasons. Their names stand in the audit trail."""

    UNREACHABLE = "unreachable"
    BUSY = "busy"
    MISCONFIGURED = "misconfigured"
    GARBAGE = "garbage"
    UNTRUSTED = "untrusted"
    UNDECRYPTABLE = "undecryptable"
    CALLBACK = "callback"
    DECLINED = "declined"
    CODE_REFUSED = "code_refused"
    REPLAYED = "replayed"
    TOO_LATE = "too_late"
    STALE = "stale"
    LEVEL = "level"
    ORGANISATION = "organisation"
    INCOMPLETE = "incomplete"
    DISABLED = "disabled"
    UNKNOWN_PERSON = "unknown_person"
    INACTIVE = "inactive"
    OTHER_NUMBER = "other_number"
    OTHER_SUBJECT = "other_subject"
    OTHER_PERSON = "other_person"
    DIFFERS = "differs"
    DECLINED_REVIEW = "declined_review"


SENTENCES: dict[Why, str] = {
    Why.UNREACHABLE: "{title} không trả lời. Hãy thử lại sau vài phút, hoặc đăng nhập bằng cách khác.",
    Why.BUSY: "Đang có quá nhiều lượt đăng nhập qua {title}. Hãy thử lại sau giây lát.",
    Why.MISCONFIGURED: "Kết nối với {title} đang được cấu hình sai. Hãy đăng nhập bằng cách khác và báo"
    " quản trị viên.",
    Why.GARBAGE: "{title} trả lời không đúng quy cách nên không được tin. Hãy thử lại; nếu vẫn vậy,"
    " đăng nhập bằng cách khác và báo quản trị viên.",
    Why.UNTRUSTED: "Không xác minh được câu trả lời của {title}. Hãy thử lại; nếu vẫn vậy, đăng nhập"
    " bằng cách khác và báo quản trị viên.",
    Why.UNDECRYPTABLE: "Không đọc được câu trả lời của {title}. Hãy thử lại; nếu vẫn vậy, đăng nhập"
    " bằng cách khác và báo quản trị viên.",
    Why.CALLBACK: "Câu trả lời mà trình duyệt mang về từ {title} không dùng được. Hãy bắt đầu lại.",
    Why.DECLINED: "Bạn chưa đồng ý ở {title} nên chưa đăng nhập. Hãy thử lại hoặc chọn cách khác.",
    Why.CODE_REFUSED: "{title} không nhận mã đăng nhập, có thể vì đã quá lâu. Hãy bắt đầu lại.",
    Why.REPLAYED: "Lượt đăng nhập qua {title} này đã được dùng. Hãy bắt đầu lại.",
    Why.TOO_LATE: "Lượt đăng nhập qua {title} đã quá lâu. Hãy bắt đầu lại.",
    Why.STALE: "{title} không hỏi lại danh tính của bạn như được yêu cầu. Hãy đăng xuất ở đó rồi thử"
    " lại, hoặc chọn cách khác.",
    Why.LEVEL: "Tài khoản định danh điện tử của bạn chưa đạt mức độ 2. Hãy làm định danh mức độ 2 tại"
    " cơ quan công an, rồi đăng nhập lại.",
    Why.ORGANISATION: "Đây là tài khoản định danh của tổ chức. Hãy dùng tài khoản định danh cá nhân"
    " của bạn.",
    Why.INCOMPLETE: "{title} không gửi đủ thông tin về bạn. Hãy thử lại và đồng ý chia sẻ; nếu vẫn vậy,"
    " đăng nhập bằng cách khác và báo quản trị viên.",
    Why.DISABLED: "Đăng nhập qua {title} đã bị tắt. Hãy chọn cách khác.",
    Why.UNKNOWN_PERSON: "Danh bạ chưa có người nào mang số định danh này. Hãy liên hệ bộ phận tổ chức"
    " cán bộ của đơn vị.",
    Why.INACTIVE: "Hồ sơ của bạn hiện không được phép đăng nhập. Hãy liên hệ bộ phận tổ chức cán bộ của"
    " đơn vị.",
    Why.OTHER_NUMBER: "Tài khoản {title} này đã liên kết với một hồ sơ có số định danh khác. Hãy liên"
    " hệ bộ phận tổ chức cán bộ của đơn vị.",
    Why.OTHER_SUBJECT: "Hồ sơ của bạn đã liên kết với một tài khoản {title} khác. Hãy liên hệ bộ phận"
    " tổ chức cán bộ của đơn vị.",
    Why.OTHER_PERSON: "Tài khoản {title} này không phải của người đang đăng nhập. Hãy dùng tài khoản"
    " của chính bạn.",
    Why.DIFFERS: "Họ tên hoặc ngày sinh ở {title} khác với hồ sơ của bạn. Bộ phận tổ chức cán bộ đã"
    " được báo để xem lại; trong lúc chờ, hãy đăng nhập bằng cách khác.",
    Why.DECLINED_REVIEW: "Bộ phận tổ chức cán bộ đã xem và không công nhận tài khoản {title} này là của"
    " bạn. Hãy liên hệ bộ phận đó.",
}
"""What happened, and what to do: message ids, ``title`` is what people call the upstream."""


class EidRefused(DinhdanhError):
    """Somebody is not let in. ``detail`` is short, in English and of our own words: for the audit
    trail, where whoever runs the connection looks.
    """

    status = 422

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"eid_{why.value}", SENTENCES[why], title="")
        self.why = why
        self.detail = detail
