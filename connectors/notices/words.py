"""What can be told, and in which words: Vietnamese, translated when the message is written.

A notice says what happened, when, from where, what to do if it was not you, and whom to ask. It holds no
secret, no code, no citizen number and no link: whoever looks for one in such a mail will follow a forged one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Notice(StrEnum):
    """Everything there is to tell."""

    FACTOR_ADDED = "factor.added"
    FACTOR_RENAMED = "factor.renamed"
    FACTOR_REMOVED = "factor.removed"
    CODES_PRINTED = "codes.printed"
    LOSS_REPORTED = "loss.reported"
    RESET = "reset"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 (a code)
    SLIP_ISSUED = "slip.issued"
    NEW_DEVICE = "device.new"
    LOCKED = "locked"
    LINKED = "identity.linked"
    UNLINKED = "identity.unlinked"
    NUMBER_CHANGED = "number.changed"
    CONTACT_CHANGED = "contact.changed"
    NOT_ME = "not_me"
    """She says that somebody else was at her account: to whoever answers for security."""
    DISOWNED = "disowned"
    """The same, to herself: she is not who said so if somebody has her session."""
    BREAK_GLASS = "break_glass"
    """An administrator came in by a sealed envelope: to whoever answers for security."""
    BREAK_GLASS_HERS = "break_glass.hers"
    """The same, to herself."""
    TEST = "test"
    """The operator tries whether messages arrive."""


@dataclass(frozen=True)
class Words:
    """The sentences of one notice. ``{name}`` is whom it is about."""

    subject: str
    happened: str
    act: str
    to_officers: bool = False
    """It goes to whoever answers for security, not to whom it is about."""


FACTS: Mapping[str, str] = {
    "factor": "Cách đăng nhập",
    "upstream": "Hệ thống định danh",
    "device": "Thiết bị",
    "network": "Mạng",
    "ip": "Địa chỉ mạng",
    "by": "Người thực hiện",
    "until": "Đến lúc",
}
"""What a notice may know besides, and what that is called. ``factor``: codes of factors, with commas between;
``by``: the key of an actor; ``until``: a moment in ISO 8601."""

UNKNOWN_TO_YOU = (
    "Nếu không phải bạn làm và không ai báo trước cho bạn: hãy tự mở trang đăng nhập của hệ thống như mọi "
    "khi, đổi mật khẩu, kết thúc các phiên đăng nhập khác và báo ngay cho nơi ghi dưới đây."
)
ASK_AT_ONCE = "Nếu bạn không yêu cầu và không ai báo trước cho bạn: hãy báo ngay cho nơi ghi dưới đây, đừng chờ."

WORDS: Mapping[Notice, Words] = {
    Notice.FACTOR_ADDED: Words(
        "Tài khoản của bạn có thêm một cách đăng nhập",
        "Một cách đăng nhập vừa được thêm vào tài khoản của bạn.",
        UNKNOWN_TO_YOU,
    ),
    Notice.FACTOR_RENAMED: Words(
        "Một cách đăng nhập của bạn được đổi tên",
        "Một cách đăng nhập của bạn vừa được đổi tên.",
        UNKNOWN_TO_YOU,
    ),
    Notice.FACTOR_REMOVED: Words(
        "Một cách đăng nhập của bạn đã bị bỏ",
        "Một cách đăng nhập vừa bị bỏ khỏi tài khoản của bạn.",
        UNKNOWN_TO_YOU,
    ),
    Notice.CODES_PRINTED: Words(
        "Đã tạo tờ mã dự phòng mới cho tài khoản của bạn",
        "Một tờ mã dự phòng mới vừa được tạo; tờ cũ không còn dùng được.",
        UNKNOWN_TO_YOU,
    ),
    Notice.LOSS_REPORTED: Words(
        "Đã báo mất một cách đăng nhập của bạn",
        "Một cách đăng nhập của bạn vừa được báo mất. Nó đã bị khóa, và các phiên đăng nhập khác đã kết thúc.",
        UNKNOWN_TO_YOU,
    ),
    Notice.RESET: Words(
        "Các cách đăng nhập của bạn đã được đặt lại",
        "Mật khẩu và các cách xác thực của bạn vừa được đặt lại. Bạn cần một phiếu mới để bắt đầu lại.",
        ASK_AT_ONCE,
    ),
    Notice.PASSWORD_CHANGED: Words(
        "Mật khẩu của bạn đã được đặt lại hoặc thay đổi",
        "Mật khẩu của bạn vừa được đặt mới.",
        UNKNOWN_TO_YOU,
    ),
    Notice.SLIP_ISSUED: Words(
        "Đã cấp một phiếu cho tài khoản của bạn",
        "Một phiếu kích hoạt hoặc khôi phục vừa được cấp cho tài khoản của bạn. Người cầm phiếu có thể đặt "
        "mật khẩu của bạn.",
        ASK_AT_ONCE,
    ),
    Notice.NEW_DEVICE: Words(
        "Tài khoản của bạn đăng nhập từ một thiết bị mới",
        "Tài khoản của bạn vừa đăng nhập từ một thiết bị chưa từng dùng.",
        UNKNOWN_TO_YOU,
    ),
    Notice.LOCKED: Words(
        "Việc đăng nhập vào tài khoản của bạn tạm khóa",
        "Việc đăng nhập vào tài khoản của bạn tạm khóa vì nhập sai nhiều lần.",
        "Nếu bạn nhập nhầm: hãy chờ đến lúc ghi trên đây, hoặc hỏi nơi ghi dưới đây. Nếu không phải bạn: có "
        "người đang thử đoán; hãy báo ngay cho nơi ghi dưới đây.",
    ),
    Notice.LINKED: Words(
        "Tài khoản của bạn đã liên kết với định danh điện tử",
        "Tài khoản của bạn vừa được liên kết với một tài khoản định danh điện tử, và đăng nhập được bằng nó.",
        UNKNOWN_TO_YOU,
    ),
    Notice.UNLINKED: Words(
        "Đã gỡ liên kết định danh điện tử của bạn",
        "Liên kết giữa tài khoản của bạn và tài khoản định danh điện tử vừa được gỡ.",
        UNKNOWN_TO_YOU,
    ),
    Notice.NUMBER_CHANGED: Words(
        "Số định danh cá nhân của bạn trong hồ sơ đã được sửa",
        "Số định danh cá nhân trong hồ sơ của bạn vừa được sửa. Liên kết định danh điện tử và các cách xác "
        "thực thứ hai của bạn đã bị gỡ; bạn cần thêm lại.",
        ASK_AT_ONCE,
    ),
    Notice.CONTACT_CHANGED: Words(
        "Thông tin liên hệ của bạn đã thay đổi",
        "Địa chỉ thư hoặc số điện thoại trong hồ sơ của bạn vừa thay đổi. Thông báo này được gửi đến cả địa "
        "chỉ cũ.",
        ASK_AT_ONCE,
    ),
    Notice.NOT_ME: Words(
        "Báo động: có người khác đăng nhập vào tài khoản của {name}",
        "{name} vừa báo rằng có người khác đăng nhập vào tài khoản của mình. Mọi phiên đăng nhập đã kết thúc.",
        "Hãy liên hệ trực tiếp với người này, xem lịch sử đăng nhập và nhật ký, và cấp phiếu mới sau khi xác "
        "minh.",
        to_officers=True,
    ),
    Notice.DISOWNED: Words(
        "Mật khẩu của bạn đã bị hủy vì báo có người khác đăng nhập",
        "Từ tài khoản của bạn vừa có báo rằng một lần đăng nhập không phải của bạn. Mọi phiên đăng nhập đã kết thúc "
        "và mật khẩu đã bị hủy.",
        "Để đăng nhập lại, hãy nhận phiếu kích hoạt ở nơi ghi dưới đây. Nếu không phải bạn báo: hãy nói rõ điều đó ở "
        "đây, vì đã có người vào được tài khoản của bạn.",
    ),
    Notice.BREAK_GLASS: Words(
        "Báo động: tài khoản quản trị của {name} được mở bằng phong bì khẩn cấp",
        "Có người vừa đăng nhập vào tài khoản quản trị của {name} bằng phong bì khẩn cấp. Phong bì đó không còn dùng "
        "được nữa.",
        "Hãy liên hệ trực tiếp với người này và người giữ phong bì. Nếu không ai biết: kết thúc các phiên đăng nhập của "
        "tài khoản này ngay. Sau đó làm phong bì mới.",
        to_officers=True,
    ),
    Notice.BREAK_GLASS_HERS: Words(
        "Tài khoản quản trị của bạn được mở bằng phong bì khẩn cấp",
        "Có người vừa đăng nhập vào tài khoản của bạn bằng phong bì khẩn cấp.",
        ASK_AT_ONCE,
    ),
    Notice.TEST: Words(
        "Thử gửi thông báo",
        "Đây là thông báo thử. Nếu bạn đọc được, kênh này hoạt động.",
        "Bạn không cần làm gì.",
        to_officers=True,
    ),
}
