"""What ``check`` says of passkeys: where none are possible, and what they cannot do."""

from collections.abc import Iterator

from directory.base.config import Settings
from idp.factors import passkey_site
from idp.factors.passkey_site import Without
from idp.services import Services
from idp.web.i18n import gettext


def problems(settings: Settings) -> Iterator[str]:
    """A name that no browser takes, or that everybody's passkeys would hang on wrongly."""
    named, why = passkey_site.rp_id(settings), passkey_site.without(settings)
    if why is Without.SUFFIX:
        yield gettext(
            "passkey_rp_id: {name} là hậu tố công cộng (như gov.vn, thanhhoa.vn), trình duyệt không "
            "nhận khóa đăng nhập cho nó. Hãy dùng một tên bên dưới, ví dụ dangnhap.{name}.",
            name=named,
        )
    if why is Without.ELSEWHERE:
        yield gettext(
            "passkey_rp_id: {name} không phải là tên miền của issuer hay tên miền trên nó. Nếu "
            "https://{name}/.well-known/webauthn liệt kê {issuer}, hãy ghi {issuer} vào "
            "passkey_related_origins.",
            name=named,
            issuer=settings.issuer,
        )


def moved(services: Services) -> Iterator[str]:
    """The name is another than that of the passkeys people have."""
    now = passkey_site.rp_id(services.settings)
    with services.db.read() as session:
        before = passkey_site.frozen(session)
    if before not in (None, now):
        yield gettext(
            "passkey_rp_id: khóa đăng nhập của mọi người thuộc về {before}, nay là {now}: không khóa "
            "nào dùng được. Hãy đặt passkey_rp_id = {before}.",
            before=before,
            now=now,
        )


def weaknesses(settings: Settings) -> Iterator[str]:
    """What people will miss."""
    why = passkey_site.without(settings)
    if why is Without.ADDRESS:
        yield gettext("issuer là địa chỉ IP: không có khóa đăng nhập (passkey); hãy dùng tên miền.")
    if why is Without.INSECURE:
        yield gettext("issuer không dùng https: không có khóa đăng nhập (passkey).")
    if why is None:
        yield gettext(
            "Khóa đăng nhập (passkey): quét mã QR bằng điện thoại cần Internet ở cả hai máy, trên mạng "
            "kín không chạy được; hãy cấp khóa bảo mật USB. Trang có lỗi chứng thư thì không có passkey."
        )
    if not passkey_site.covers(settings) and why is None:
        yield gettext(
            "passkey_related_origins: Bitwarden và trình duyệt cũ chưa hiểu; ở đó passkey không hiện ra."
        )
