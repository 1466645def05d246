"""What ``check`` says of the profile of level 3: what it asks for and this installation does not do."""

from collections.abc import Iterator

from directory.base.config import Settings
from directory.base.sign_in_settings import HOUR, MINUTE
from idp.oidc.clients import BY_SECRET, Client, GrantType, all_clients
from idp.services import Services
from idp.web.i18n import gettext


def weaker(settings: Settings) -> Iterator[str]:
    """What a system of level 3 (NĐ 331/2026/NĐ-CP, TCVN 14423:2026) asks for and this installation does not do."""
    least = {"lock_for": 12 * HOUR, "password_min": 14, "admin_password_history": 10}
    most = {
        "lock_after": 5,
        "name_failures": 20,
        "browser_failures": 10,
        "session_idle": 15 * MINUTE,
        "admin_idle": 5 * MINUTE,
        "sudo_window": 10 * MINUTE,
    }
    for name, bound in least.items():
        if getattr(settings, name) < bound:
            yield f"{name} = {getattr(settings, name)} < {bound}"
    for name, bound in most.items():
        if getattr(settings, name) > bound:
            yield f"{name} = {getattr(settings, name)} > {bound}"
    if not 0 < settings.admin_password_days <= (bound := 60):
        yield f"admin_password_days = {settings.admin_password_days} (1–{bound})"
    if not settings.secure:
        yield gettext("issuer không dùng https.")
    if settings.second_factor == "nobody":
        yield gettext("Quản trị viên chưa có yếu tố xác thực thứ hai.")
    if settings.second_factor in ("nobody", "administrators"):
        yield gettext("Chưa bắt buộc xác thực hai yếu tố khi đăng nhập từ ngoài mạng của cơ quan.")


def weaker_stored(services: Services) -> Iterator[str]:
    """The same of what the database holds: a secret that writes to the directory goes around every
    factor that people are asked for.
    """
    with services.db.read() as session:
        found = [
            (one.name, one.client_id) for one in all_clients(session) if _writes_by_secret(one)
        ]
    for name, client_id in found:
        yield gettext(
            "Ứng dụng khách {name} ({client}) tự ghi thay đổi nhân sự (changes:write) chỉ bằng mật "
            "khẩu ứng dụng: hãy chuyển sang private_key_jwt hoặc chứng thư TLS.",
            name=name,
            client=client_id,
        )


def _writes_by_secret(client: Client) -> bool:
    return (
        client.enabled
        and client.auth_method in BY_SECRET
        and GrantType.CLIENT in client.grant_types
        and "changes:write" in client.scopes
    )
