"""The one screen people see when everything runs."""

from typing import Any

from examples.demo.ground import Ground
from examples.demo.standing import Official

LABELS = {
    "administrator": "Quản trị hệ thống / administrator",
    "hr_officer": "Cán bộ nhân sự / HR officer",
    "application_owner": "Chủ ứng dụng / application owner",
    "auditor": "Kiểm toán viên / auditor",
}


def show(ground: Ground, values: dict[str, Any], movers: list[Official], *, seconds: float) -> str:
    """What to open, whom to be, what to try, in at most forty lines."""
    issuer = values["issuer"]
    app_a, app_b = ground.apps
    users = values["users"]
    lines = [
        "",
        f"Dinhdanh: Thanh Hóa, {values['people']:,} người / people   (sẵn sàng sau / ready in {seconds:.0f} s)",
        "",
        f"  {issuer:36} Dinhdanh: cổng cá nhân / portal",
        f"  {issuer + '/console':36} quản lý: nhân sự, ứng dụng, nhật ký / console",
        f"  {app_a.url:36} A: {app_a.name}",
        f"  {app_b.url:36} B: {app_b.name}",
        f"  {values['guide']:36} hướng dẫn: VNeID, passkey, phiếu, mã / guide: codes, slip",
        "",
        "Đăng nhập bằng / sign in as (quản trị cần thêm mã ở trang hướng dẫn / codes: see the guide):",
    ]
    for user in users:
        role = user["roles"][0]
        if role in LABELS:
            over = f" ({user['over']})" if user.get("over") else ""
            lines.append(_person(user, LABELS[role] + over))
    hero = _hero(movers, app_a.code)
    others = [m for m in movers if m.posts > 1 and m is not hero]
    lines += [_person(m.user, _who(m, ground)) for m in (hero, *others[:1]) if m]
    lines += [
        f"  … cả {len(users)} người trong / all {len(users)} of them in {_short(ground.credentials_file)}",
        "",
    ]
    officer = next(u for u in users if "hr_officer" in u["roles"])
    administrators = [u["username"] for u in users if "administrator" in u["roles"]]
    lines += _to_try(hero, officer, administrators, ground) if hero else []
    lines += [
        f"Nhật ký chạy / logs: {_short(ground.logs)}    Ctrl-C dừng tất cả / stops everything",
        "",
    ]
    return "\n".join(lines)


def _hero(movers: list[Official], code: str) -> Official | None:
    """Whom to try it with: somebody not moved yet, who works with A and would lose it."""
    return min(
        movers,
        key=lambda m: (m.moved, code not in m.applications, m.user["part"] != "away"),
        default=None,
    )


def _who(one: Official, ground: Ground) -> str:
    """What somebody is and may open today."""
    what = "hai chức vụ / two posts" if one.posts > 1 else "một cán bộ / an official"
    letters = [
        letter
        for letter, app in zip("AB", ground.apps, strict=True)
        if app.code in one.applications
    ]
    moved = f"; đã chuyển đến / moved to {one.unit}" if one.moved else ""
    return f"{what}; tài khoản / account: {', '.join(letters) or 'không / none'}{moved}"


def _to_try(
    one: Official, officer: dict[str, Any], administrators: list[str], ground: Ground
) -> list[str]:
    name, hr = one.user["username"], officer["username"]
    first, second = ("A", "B") if ground.apps[0].code in one.applications else ("B", "A")
    without = (
        (f"; {second} báo chưa có tài khoản", f"; {second} says there is no account yet")
        if len(one.applications) == 1
        else ("", "")
    )
    return [
        "Thử / try:",
        f"  1. Vào {first} bằng {name}, rồi mở {second}: không hỏi lại mật khẩu{without[0]}.",
        f"     Open {first} as {name}, then {second}: no password is asked again{without[1]}.",
        f"  2. Trình duyệt khác, {hr} trong /console: điều động {name}, xem trước, xác nhận.",
        f"     In another browser, {hr} in /console: transfer {name}, preview, confirm;",
        f"     → {one.goal_unit} ({one.goal['unit']}), {one.goal_position}",
        f"  3. Tải lại {first}: phiên đã hết. Trang thay đổi: mọi hệ quả và độ trễ.",
        f"     Reload {first}: signed out. The change's page: every effect and its latency.",
        f"  4. {officer['username']} cho {administrators[-1]} thôi việc: cần người thứ hai; {administrators[0]} phê duyệt.",
        f"     {officer['username']} lets {administrators[-1]} go: that takes a second person; {administrators[0]} approves.",
        "  5. make story    kể lại toàn bộ / plays all of it and proves it",
        "",
    ]


def _person(user: dict[str, Any], what: str) -> str:
    return f"  {user['username']:14} {user['password']:34} {what}"


def _short(path: Any) -> str:
    text = str(path)
    _, found, rest = text.partition("/var/")
    return f"var/{rest}" if found else text
