"""Why somebody is asked to sign in once more, or to prove more: told on the page that asks."""

from datetime import timedelta
from enum import StrEnum

from directory.base.config import Settings
from idp.assurance import Because, Level
from idp.demands import Asked, Operation
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


def read(said: str | None) -> Why | Operation | None:
    """The reason that an address gives; None for anything that is none. An operation is one: what she
    was about to do.
    """
    if said in tuple(Operation):
        return Operation(said)
    return Why(said) if said in tuple(Why) else None


def sentence(why: Why | Operation, settings: Settings) -> str:
    """The reason in the language in force."""
    if isinstance(why, Operation):
        return gettext(
            "{operation}: cần xác thực lại ngay trước khi làm. Những gì bạn đã điền vẫn còn đó.",
            operation=done(why),
        )
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


def done(operation: str) -> str:
    """What is done, in the language in force."""
    names = {
        Operation.CHANGE: gettext("Ghi một thay đổi nhân sự"),
        Operation.APPROVAL: gettext("Phê duyệt thay đổi của người khác"),
        Operation.SECRET: gettext("Xem hoặc cấp mật khẩu ứng dụng, phiếu kích hoạt"),
        Operation.CLIENT: gettext("Sửa ứng dụng và ứng dụng khách"),
        Operation.ACCOUNT: gettext("Mở khóa, đặt lại cách đăng nhập của người khác"),
        Operation.WORK: gettext("Ghi nhận hoặc làm lại công việc"),
    }
    return names[Operation(operation)] if operation in names else operation


def strength(level: str) -> str:
    """What a level takes, in words."""
    words = {
        Level.AAL1: gettext("một cách xác thực"),
        Level.AAL2: gettext("hai cách xác thực"),
        Level.AAL3: gettext("hai cách xác thực, một cách là sinh trắc học"),
        Level.AAL4: gettext("ba cách xác thực, một cách là sinh trắc học"),
        Level.PHR: gettext("cách xác thực chống lừa đảo"),
        Level.PHRH: gettext("cách xác thực chống lừa đảo, khóa nằm trong phần cứng"),
    }
    return words[Level(level)] if level in words else level


def for_more(asked: Asked) -> str:
    """Which rule asks for more than there is."""
    level = strength(asked.level)
    if asked.because is Because.APPLICATION:
        return gettext("Ứng dụng {name} đòi {level}.", name=asked.name, level=level)
    if asked.because is Because.SCOPE:
        return gettext(
            "Ứng dụng bạn đang mở xin phạm vi {name}, phạm vi đó đòi {level}.",
            name=asked.name,
            level=level,
        )
    if asked.because is Because.POSITION:
        return gettext("Chức vụ {name} của bạn đòi {level}.", name=asked.name, level=level)
    if asked.because is Because.OPERATION:
        return gettext(
            "{operation}: việc này đòi {level}.", operation=done(asked.name), level=level
        )
    return for_two_factors(asked.because)


def for_two_factors(because: Because | None) -> str:
    """Why one factor is not enough; None where it is not the installation that asks for two."""
    if because is Because.ADMINISTERS:
        return gettext("Cần hai cách xác thực vì bạn có vai trò quản trị.")
    if because is Because.OUTSIDE:
        return gettext("Cần hai cách xác thực vì bạn đăng nhập từ ngoài mạng của cơ quan.")
    if because is Because.EVERYBODY:
        return gettext("Cơ quan yêu cầu hai cách xác thực cho mọi lần đăng nhập.")
    return gettext("Nơi bạn đang mở đòi mức xác thực cao hơn.")
