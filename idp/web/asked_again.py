"""Why somebody who has signed in here is asked to do it once more: told on the page that asks."""

from datetime import timedelta
from enum import StrEnum

from directory.base.config import Settings
from idp.assurance import Because
from idp.web.i18n import duration, gettext


class Why(StrEnum):
    """A reason, as the address of a sign-in may say it: anybody may write one there."""

    IDLE = "idle"
    """Nothing was done in the console for ``admin_idle``."""
    OLD = "old"
    """The console, where nothing was done yet, wants a newer sign-in."""
    ENDED = "ended"
    """The session that this browser had is over."""
    STRONGER = "stronger"
    """The sign-in that there is proves too little."""
    APPLICATION = "application"
    """An application wants a sign-in of its own, or a newer one."""


def read(said: str | None) -> Why | None:
    """The reason that an address gives; None for anything that is none."""
    return Why(said) if said in tuple(Why) else None


def sentence(why: Why, settings: Settings) -> str:
    """The reason in the language in force."""
    if why is Why.IDLE:
        return gettext(
            "Phiên quản trị đã nghỉ quá {time}. Hãy đăng nhập lại để tiếp tục.",
            time=duration(timedelta(seconds=settings.admin_idle)),
        )
    usual = duration(timedelta(seconds=settings.session_idle))
    if why is Why.OLD:
        return gettext(
            "Trang quản trị cần một lần đăng nhập trong vòng {time}. Hãy đăng nhập lại.",
            time=usual,
        )
    if why is Why.ENDED:
        return gettext(
            "Phiên đăng nhập trước đã kết thúc: nghỉ quá {time}, đã đăng xuất ở nơi khác, "
            "hoặc quyền truy cập đã thay đổi.",
            time=usual,
        )
    if why is Why.STRONGER:
        return gettext("Việc này cần cách xác thực mạnh hơn lần đăng nhập vừa rồi.")
    return gettext("Ứng dụng này yêu cầu bạn đăng nhập lại.")


def for_two_factors(because: Because | None) -> str:
    """Why one factor is not enough; None where it is not the installation that asks for two."""
    if because is Because.ADMINISTERS:
        return gettext("Cần hai cách xác thực vì bạn có vai trò quản trị.")
    if because is Because.OUTSIDE:
        return gettext("Cần hai cách xác thực vì bạn đăng nhập từ ngoài mạng của cơ quan.")
    if because is Because.EVERYBODY:
        return gettext("Cơ quan yêu cầu hai cách xác thực cho mọi lần đăng nhập.")
    return gettext("Nơi bạn đang mở đòi mức xác thực cao hơn.")
