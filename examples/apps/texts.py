"""The two languages of the pages. The Vietnamese sentence is the key; English stands beside it."""

from flask import g, request

LANGUAGES = ("vi", "en")

ENGLISH = {
    # profiles
    "Quản lý văn bản và điều hành": "Document management",
    "Một cửa điện tử": "One-stop shop",
    "Văn bản đến, văn bản đi và công việc được giao của từng đơn vị.": (
        "Incoming and outgoing documents and assigned work, unit by unit."
    ),
    "Tiếp nhận và trả kết quả giải quyết thủ tục hành chính.": (
        "Receiving applications for administrative procedures and returning results."
    ),
    "Văn bản đến": "Incoming documents",
    "Hồ sơ chờ xử lý": "Case files to process",
    "Văn bản hạn chế": "Restricted documents",
    "Dữ liệu cá nhân của người nộp": "Applicants' personal data",
    "Số, ký hiệu": "Number",
    "Trích yếu": "Subject",
    "Nơi gửi": "From",
    "Hạn xử lý": "Due",
    "Mã hồ sơ": "Case",
    "Thủ tục hành chính": "Procedure",
    "Người nộp": "Applicant",
    "Hạn trả": "Due",
    "Trạng thái": "State",
    "Việc của anh/chị": "Your part",
    "Mới đến": "New",
    "Đang xử lý": "In progress",
    "Chờ ý kiến": "Awaiting opinion",
    "Mới tiếp nhận": "Received",
    "Đang thẩm định": "Under review",
    "Chờ phê duyệt": "Awaiting approval",
    "Chờ bổ sung giấy tờ": "Awaiting papers",
    "Văn thư": "Records clerk",
    "Chuyên viên": "Officer",
    "Lãnh đạo": "Leader",
    "Quản trị": "Administrator",
    "Tiếp nhận hồ sơ": "Reception",
    "Chuyên viên xử lý": "Case officer",
    "Lãnh đạo phê duyệt": "Approver",
    "Vào sổ, chuyển": "Register, forward",
    "Xử lý": "Process",
    "Cho ý kiến": "Give opinion",
    "Theo dõi": "Watch",
    "Kiểm tra, tiếp nhận": "Check, receive",
    "Thẩm định": "Review",
    "Phê duyệt": "Approve",
    "Chưa phân vai trò": "No role assigned",
    # pages
    "Ứng dụng minh họa": "Demonstration application",
    "Đăng nhập": "Sign in",
    "Đăng nhập lại": "Sign in again",
    "Đăng xuất": "Sign out",
    "Bỏ qua đến nội dung": "Skip to content",
    "Đăng nhập một lần bằng tài khoản công vụ của tỉnh. Ứng dụng này không giữ mật khẩu.": (
        "Sign in once with your provincial account. This application keeps no passwords."
    ),
    "Anh/chị chưa đăng nhập ở hệ thống định danh. Bấm Đăng nhập để tiếp tục.": (
        "You are not signed in at the identity provider. Choose Sign in to continue."
    ),
    "Xin chào, %(name)s": "Hello, %(name)s",
    "Đơn vị": "Unit",
    "Chức vụ": "Position",
    "Vai trò": "Role",
    "Tài khoản": "Account",
    "chưa rõ": "unknown",
    "Nội dung minh họa, không phải dữ liệu thật.": "Sample content, not real data.",
    "Tài khoản chưa gắn với đơn vị nào, nên chưa có việc để hiển thị.": (
        "The account is not attached to a unit, so there is no work to show."
    ),
    "Anh/chị chưa có tài khoản nghiệp vụ": "You have no account in this application yet",
    "Anh/chị đã đăng nhập thành công, nhưng chưa được cấp tài khoản trong ứng dụng này.": (
        "You signed in, but you have not been given an account in this application."
    ),
    "Việc tiếp theo": "What happens next",
    "Tài khoản được cấp tự động theo phân công công tác, thường trong vài phút sau khi quyết định"
    " có hiệu lực.": (
        "Accounts follow your assignment automatically, usually within minutes of the decision"
        " taking effect."
    ),
    "Nếu đã quá một ngày làm việc, đề nghị bộ phận tổ chức cán bộ của đơn vị kiểm tra phân công"
    " của anh/chị.": (
        "If more than a working day has passed, ask your unit's personnel office to check your"
        " assignment."
    ),
    "Khi tài khoản sẵn sàng, tải lại trang này là vào được; không cần đăng nhập lại.": (
        "Once the account is ready, reload this page; there is no need to sign in again."
    ),
    "Tài khoản của anh/chị đã bị khóa": "Your account is disabled",
    "Tài khoản trong ứng dụng này đã ngừng hoạt động, thường do thay đổi phân công công tác."
    " Dữ liệu nghiệp vụ vẫn được giữ nguyên.": (
        "The account in this application has been disabled, usually because your assignment"
        " changed. Its data is kept."
    ),
    "Nếu anh/chị vẫn làm việc ở vị trí này, đề nghị bộ phận tổ chức cán bộ của đơn vị kiểm tra.": (
        "If you still hold this position, ask your unit's personnel office to check."
    ),
    "Anh/chị đã xác thực mức 2 nên xem được phần này.": (
        "You have proven yourself at level 2, so you may see this."
    ),
    "Phần này chỉ mở cho người đã xác thực mức 2: hai yếu tố, hoặc VNeID mức độ 2. Lần đăng nhập vừa"
    " rồi của anh/chị là mức 1.": (
        "This is for those who have proven themselves at level 2: by two factors, or by VNeID of level 2."
        " You signed in at level 1."
    ),
    "Chưa đạt mức 2. Hãy thêm passkey hoặc ứng dụng xác thực ở trang cá nhân, rồi quay lại đây.": (
        "Level 2 was not reached. Add a passkey or an authenticator app in the portal, then come back."
    ),
    "Cách đăng nhập của tôi": "My ways to sign in",
    "Xác thực thêm": "Prove more",
    "Bằng VNeID, bằng passkey, hoặc bằng mật khẩu kèm mã.": (
        "By VNeID, by a passkey, or by password and code."
    ),
    "Chưa kết nối được hệ thống định danh": "The identity provider cannot be reached",
    "Xin thử lại sau ít phút.": "Please try again in a few minutes.",
    "Không đăng nhập được": "Sign-in did not succeed",
    "Hệ thống định danh không cho phép đăng nhập vào ứng dụng này.": (
        "The identity provider did not allow signing in to this application."
    ),
    "Lượt đăng nhập đã hết hạn hoặc không bắt đầu từ trình duyệt này.": (
        "The sign-in has expired or was not started in this browser."
    ),
    "Phiên đăng nhập đã kết thúc ở hệ thống định danh.": (
        "The session has ended at the identity provider."
    ),
    "Yêu cầu không hợp lệ": "The request is not valid",
    "Trang đã quá cũ. Hãy tải lại rồi thử lại.": "The page is too old. Reload it and try again.",
    "Không tìm thấy trang": "Page not found",
    "Mã lỗi": "Error code",
    "Về trang đầu": "Home",
}


def choose_language(remembered: str | None) -> str:
    """``?lang=``, else what was chosen before, else what the browser prefers, else Vietnamese."""
    for wanted in (request.args.get("lang"), remembered):
        if wanted in LANGUAGES:
            return wanted
    return request.accept_languages.best_match(LANGUAGES) or "vi"


def translate(sentence: str, **values: str) -> str:
    """The sentence in the language of this request, with its places filled in."""
    chosen = ENGLISH.get(sentence, sentence) if g.language == "en" else sentence
    return chosen % values if values else chosen
