"""Letters: whatever names and addresses hold, a letter has the headers that it is to have."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from connectors.errors import Rejected
from connectors.notices.letter import letter
from connectors.notices.message import Message

AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Content-Type",
    "Content-Transfer-Encoding",
    "MIME-Version",
}


def _message(subject: str = "Mật khẩu", sender: str = "Tỉnh Thanh Hóa") -> Message:
    return Message("ref", subject, "Kính gửi,\n", "ngắn", sender, AT)


def _sent(message: Message, to: str = "lan@thanhhoa.gov.vn"):
    raw = letter(message, from_="no-reply@thanhhoa.gov.vn", to=to).as_bytes()
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    return message_from_bytes(raw, policy=policy.default)


def test_vietnamese_arrives_as_it_was_written():
    subject = "Tài khoản của bạn có thêm một cách đăng nhập / " * 5
    read = _sent(_message(subject.strip()))
    assert read["Subject"] == subject.strip()
    assert read["From"].addresses[0].display_name == "Tỉnh Thanh Hóa"
    assert read.get_content().splitlines() == ["Kính gửi,"]
    assert set(read.keys()) == HEADERS
    assert read["Date"].datetime == AT


@pytest.mark.parametrize("text", ["a\r\nBcc: x@y.vn", "a\nBcc: x@y.vn", "a\rBcc: x@y.vn"])
def test_no_name_becomes_a_header(text):
    for message in (_message(subject=text), _message(sender=text)):
        try:
            read = _sent(message)
        except Rejected:
            continue
        assert set(read.keys()) == HEADERS


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "lan",
        "@x.vn",
        "lan@",
        "a@b.vn\r\nBcc: c@d.vn",
        "a@b.vn, c@d.vn",
        "a@b.vn;c@d.vn",
        "dũng@x.vn",
        "a@xã.vn",
        "<a@b.vn>",
        'a"b@c.vn',
        "a@b@c.vn",
        "a@b..vn",
        "a\x00@b.vn",
    ],
)
def test_what_is_no_address_is_written_to_by_nobody(address):
    with pytest.raises(Rejected):
        letter(_message(), from_="no-reply@thanhhoa.gov.vn", to=address)


def test_copies_have_names_of_their_own_and_keep_them():
    one, other = (_sent(_message(), to)["Message-ID"] for to in ("a@x.vn", "b@x.vn"))
    assert one != other
    assert _sent(_message(), "a@x.vn")["Message-ID"] == one
