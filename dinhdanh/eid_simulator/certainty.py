"""How sure each simulated detail is, and why. Nothing here is official.

A   read in a primary text or in working code that does exactly this
B   said by a specific second source (several independent public projects, a law portal)
C   said by one weak source
assumed   nobody says it; chosen so that something can run
"""

from typing import NamedTuple

from dinhdanh.eid_simulator.faults.fault import DVCQG, STANDARD, VNEID
from dinhdanh.eid_simulator.words import Said

MEANINGS = (
    (
        "A",
        Said(
            "đọc trong văn bản gốc hoặc trong mã nguồn đang chạy đúng như thế",
            "read in a primary text, or in working code that does exactly this",
        ),
    ),
    (
        "B",
        Said(
            "nguồn thứ hai cụ thể (nhiều dự án công khai độc lập, cổng văn bản luật)",
            "a specific second source (several independent public projects, a law portal)",
        ),
    ),
    ("C", Said("một nguồn yếu", "one weak source")),
    (
        "assumed",
        Said("không nguồn nào nói; chọn để chạy được", "nobody says it; chosen so that it can run"),
    ),
)


class Detail(NamedTuple):
    """One thing the simulator does because the original is said to do it."""

    profile: str
    what: Said
    certainty: str
    source: Said


_CODE = Said(
    "mã nguồn công khai ospgroupvn/vneid-keycloak-extensions, 9/5/2026; là B về VNeID",
    "public code ospgroupvn/vneid-keycloak-extensions, 9 May 2026; about VNeID it is B",
)
_SEVERAL = Said("nhiều dự án công khai độc lập", "several independent public projects")
_WSO2 = Said("thói quen của WSO2 Identity Server", "the habit of WSO2 Identity Server")
_NOBODY = Said("không có nguồn", "no source")
_RFC = "OpenID Connect Core, Discovery; RFC 6749, 7636, 9207"

DETAILS = (
    Detail(
        STANDARD,
        Said("Giao thức OpenID Connect", "The protocol, OpenID Connect"),
        "A",
        Said(_RFC, _RFC),
    ),
    Detail(
        STANDARD,
        Said(
            "Tên citizen_id, eid_level, account_type", "Names citizen_id, eid_level, account_type"
        ),
        "assumed",
        Said("đặt riêng cho bản mô phỏng này", "made up for this simulator"),
    ),
    Detail(
        STANDARD,
        Said("Giá trị acr urn:vn:aal:1 … 4", "acr values urn:vn:aal:1 … 4"),
        "assumed",
        Said(
            "bốn mức xác thực là B (Nghị định 69/2024); cách viết là của ta",
            "the four levels are B (Decree 69/2024); the spelling is ours",
        ),
    ),
    Detail(
        DVCQG,
        Said(
            "Đường dẫn /oauth2/authorize, token, userinfo, revoke, introspect",
            "Paths /oauth2/authorize, token, userinfo, revoke, introspect",
        ),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said("scope=openid, acr_values=LoA1", "scope=openid, acr_values=LoA1"),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said(
            "Bí mật của ứng dụng nằm trong thân yêu cầu token",
            "The client's secret is in the body of the token request",
        ),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said(
            "Tên các thông tin của tài khoản cổng và của VNeID qua cổng (IAL, loginIdp=BCA)",
            "Names of the portal account's claims and of VNeID's through the portal (IAL, loginIdp=BCA)",
        ),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said("NgayThangNamSinh là yyyymmdd", "NgayThangNamSinh is yyyymmdd"),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said("GioiTinh và IAL là số nguyên", "GioiTinh and IAL are integers"),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said(
            "GioiTinh: 1 nam, 2 nữ; TrangThai: 1; giá trị trống là null",
            "GioiTinh: 1 male, 2 female; TrangThai: 1; empty values are null",
        ),
        "assumed",
        _NOBODY,
    ),
    Detail(
        DVCQG,
        Said(
            "Có id_token RS256; iss là địa chỉ token; khóa ở /oauth2/jwks; thêm session_state",
            "There is an RS256 id_token; iss is the token address; keys at /oauth2/jwks; session_state",
        ),
        "assumed",
        _WSO2,
    ),
    Detail(
        DVCQG,
        Said("Đăng xuất bằng id_token_hint", "Logout by id_token_hint"),
        "B",
        _SEVERAL,
    ),
    Detail(
        DVCQG,
        Said("Đăng xuất ở /oidc/logout", "Logout at /oidc/logout"),
        "assumed",
        _WSO2,
    ),
    Detail(
        VNEID,
        Said(
            "Yêu cầu: response_type, client_id, redirect_uri, scope=openid, state; không nonce, không PKCE",
            "Request: response_type, client_id, redirect_uri, scope=openid, state; no nonce, no PKCE",
        ),
        "A",
        _CODE,
    ),
    Detail(
        VNEID,
        Said(
            "Quay về với code (base64, dấu + để nguyên) và encrypt_key",
            "Comes back with code (base64, + as it is) and encrypt_key",
        ),
        "A",
        _CODE,
    ),
    Detail(
        VNEID,
        Said(
            "AES-ECB (PKCS#5/7), khóa AES bằng RSA PKCS#1 v1.5",
            "AES-ECB (PKCS#5/7), its key by RSA PKCS#1 v1.5",
        ),
        "A",
        _CODE,
    ),
    Detail(
        VNEID,
        Said(
            "Gửi mã đã giải mã kèm encrypt_key nguyên văn tới đầu token",
            "The decrypted code is sent to the token endpoint with encrypt_key as it came",
        ),
        "A",
        _CODE,
    ),
    Detail(
        VNEID,
        Said(
            "Trả lời token và userinfo là {data, key}; không có id_token",
            "Token and userinfo answers are {data, key}; there is no id_token",
        ),
        "A",
        _CODE,
    ),
    Detail(
        VNEID,
        Said(
            "Tên citizenPid, fullName, birthDate, accountType, accountLevel",
            "Names citizenPid, fullName, birthDate, accountType, accountLevel",
        ),
        "A",
        _CODE,
    ),
    Detail(
        VNEID,
        Said("Mã là GUID nối bằng dấu chấm", "The code is GUIDs joined by a dot"),
        "C",
        _CODE,
    ),
    Detail(
        VNEID,
        Said("Mã sống rất ngắn (ở đây 30 giây)", "The code lives very short (here 30 s)"),
        "C",
        Said(
            "ghi chú trong dự án ấy; con số là của ta",
            "that project's comments; the figure is ours",
        ),
    ),
    Detail(
        VNEID,
        Said("Chỉ nhận từ địa chỉ IP đã đăng ký", "Only registered IP addresses are let in"),
        "C",
        Said("ghi chú trong dự án ấy; không mô phỏng", "that project's comments; not simulated"),
    ),
    Detail(
        VNEID,
        Said(
            "Khóa AES 32 byte; birthDate dd/MM/yyyy; accountType 1 và 2; lỗi không mã hóa",
            "An AES key of 32 bytes; birthDate dd/MM/yyyy; accountType 1 and 2; errors not encrypted",
        ),
        "assumed",
        _NOBODY,
    ),
    Detail(
        VNEID,
        Said(
            "Đường dẫn /auth, /token, /userinfo, /logout", "Paths /auth, /token, /userinfo, /logout"
        ),
        "assumed",
        _NOBODY,
    ),
    Detail(
        VNEID,
        Said("Mức độ là số nguyên 1 hoặc 2", "The level is the integer 1 or 2"),
        "assumed",
        Said("mức độ 1 và 2 là B (Nghị định 69/2024)", "levels 1 and 2 are B (Decree 69/2024)"),
    ),
)
"""Every detail, in the order of the profiles."""
