"""The one screen people see when everything runs."""

from typing import Any

from examples.demo.ground import Ground

_LABELS = {
    "administrator": "Quản trị hệ thống / administrator",
    "hr_officer": "Cán bộ nhân sự / HR officer",
    "application_owner": "Chủ ứng dụng / application owner",
    "auditor": "Kiểm toán viên / auditor",
}


def show(ground: Ground, values: dict[str, Any], *, seconds: float) -> str:
    """What to open, whom to be, what to try, in at most forty lines."""
    issuer = values["issuer"]
    app_a, app_b = ground.apps
    users = values["users"]
    movers = [u for u in users if u.get("transfer_to")]
    away = next(u for u in movers if u["part"] == "away")
    many = next((u for u in movers if u["part"] == "upwards"), movers[-1])
    lines = [
        "",
        f"Dinhdanh: Thanh Hóa, {ground.people:,} người / people   (sẵn sàng sau / ready in {seconds:.0f} s)",
        "",
        f"  {issuer:36} Dinhdanh: cổng cá nhân / portal",
        f"  {issuer + '/console':36} quản lý: nhân sự, ứng dụng, nhật ký / console",
        f"  {app_a.url:36} A: {app_a.name}",
        f"  {app_b.url:36} B: {app_b.name}",
        "",
        "Đăng nhập bằng / sign in as:",
    ]
    for user in users:
        role = user["roles"][0]
        if role in _LABELS:
            over = f" ({user['over']})" if user.get("over") else ""
            lines.append(_person(user, _LABELS[role] + over))
    lines += [
        _person(away, "một cán bộ / an official: A, chưa có B"),
        _person(many, "hai chức vụ / two posts: A, B"),
        f"  … và {len(users)} người trong / and all of them in {_short(ground.credentials_file)}",
        "",
        "Thử / try:",
        f"  1. Vào {app_a.url} bằng {away['username']}; rồi mở {app_b.url}: không hỏi lại mật khẩu.",
        f"  2. Trình duyệt khác, cán bộ nhân sự toàn tỉnh: điều động {away['username']} đến",
        f"     {away['transfer_to']['unit']} ({away['transfer_to']['position']}); xem trước, xác nhận.",
        "  3. Tải lại A: phiên đã hết. Xem bằng chứng / the proof: mọi hệ quả và độ trễ.",
        "  4. make story    kể lại toàn bộ / plays all of it and proves it",
        "",
        f"Nhật ký chạy / logs: {_short(ground.logs)}    Ctrl-C dừng tất cả / stops everything",
        "",
    ]
    return "\n".join(lines)


def _person(user: dict[str, Any], what: str) -> str:
    return f"  {user['username']:14} {user['password']:34} {what}"


def _short(path: Any) -> str:
    text = str(path)
    _, found, rest = text.partition("/var/")
    return f"var/{rest}" if found else text
