"""A mail server of the agency's (RFC 5321), over TLS whose certificate names it, unless said otherwise.

    4yz, away, slow, hung up    Transient: greylisting is the most frequent
    5yz for the recipient       Rejected: a person looks at this one address
    5yz for us, no TLS, a       Misconfigured: every mail would fail
    certificate of another

What a server says of its refusals may hold the address; only its codes (RFC 3463) are repeated.
"""

import re
import smtplib
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path

from connectors import deadline, outbound
from connectors.errors import ConnectorError, Misconfigured, Rejected, Transient
from connectors.notices import letter
from connectors.notices.message import Message
from connectors.notices.told import Medium
from directory.base.config import Settings
from directory.base.hosts import Host

PATIENCE = 20.0
"""Seconds for one answer: a server that looks through a mail before it takes it needs some."""
PORTS = {"starttls": 587, "tls": 465, "none": 25}


class _Bounded:
    """Each answer is whole in time: one that never ends, a line after the other, is hung up on."""

    sock: socket.socket | None

    def getreply(self) -> tuple[int, bytes]:
        """As that of ``smtplib``."""
        timer = threading.Timer(deadline.left(PATIENCE), self._hang_up)
        timer.daemon = True
        timer.start()
        try:
            return super().getreply()  # type: ignore[misc,no-any-return]
        finally:
            timer.cancel()

    def _hang_up(self) -> None:
        with suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)


class _Plain(_Bounded, smtplib.SMTP):
    """TLS is asked for, or not."""


class _Tls(_Bounded, smtplib.SMTP_SSL):
    """TLS from the first byte."""


class Smtp:
    """One mail server."""

    code = "smtp"
    medium = Medium.MAIL

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, message: Message, address: str) -> None:
        """Raises Rejected, Misconfigured, Transient."""
        mail = letter.letter(message, from_=self._settings.sender, to=address)
        with _failures(), self._connected() as server:
            self._hand_over(server, mail, address)
            # It has taken the mail: how it says good-bye changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                server.quit()

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        settings, context = self._settings, outbound.tls(self._settings)
        port = settings.smtp_port or PORTS[settings.smtp_security]
        host, patience, us = settings.smtp_host, deadline.left(PATIENCE), _us(settings)
        if settings.smtp_security == "tls":
            server: smtplib.SMTP = _Tls(
                host, port, local_hostname=us, timeout=patience, context=context
            )
        else:
            server = _Plain(host, port, local_hostname=us, timeout=patience)
        try:
            if settings.smtp_security == "starttls":
                server.ehlo_or_helo_if_needed()
                code, _ = server.starttls(context=context)
                if code != 220:
                    raise _refused(code, b"", "Máy chủ thư không bắt đầu được TLS ({code}).")
            if settings.smtp_user:
                _sign_in(server, settings.smtp_user, _password(settings.smtp_password_file))
            yield server
        finally:
            server.close()

    def _hand_over(self, server: smtplib.SMTP, mail: EmailMessage, address: str) -> None:
        if server.sock is not None:
            server.sock.settimeout(deadline.left(PATIENCE))
        server.send_message(mail, from_addr=self._settings.sender, to_addrs=[address])


def _us(settings: Settings) -> str:
    """How we greet: by our own name, which nobody need be asked for."""
    host = Host.of(settings.issuer)
    name = host.name if host is not None else "localhost"
    if ":" in name:
        return f"[IPv6:{name}]"
    return f"[{name}]" if name.replace(".", "").isdecimal() else name


def _password(file: Path | None) -> str:
    try:
        return file.read_text("utf-8").split("\n")[0].strip() if file is not None else ""
    except (OSError, UnicodeDecodeError) as exc:
        raise Misconfigured("Không đọc được tệp mật khẩu của máy chủ thư.") from exc


def _sign_in(server: smtplib.SMTP, user: str, password: str) -> None:
    """As somebody whose password may be Vietnamese (RFC 4616: UTF-8), which ``login`` cannot say."""
    server.ehlo_or_helo_if_needed()
    if "PLAIN" not in server.esmtp_features.get("auth", "").upper().split():
        server.login(user, password)
        return
    proof = b64encode(b"\0".join((b"", user.encode(), password.encode()))).decode()
    code, said = server.docmd("AUTH", f"PLAIN {proof}")
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, said)


@contextmanager
def _failures() -> Iterator[None]:
    """What goes wrong, as one of our three kinds."""
    try:
        yield
    except ConnectorError:
        raise
    except smtplib.SMTPException as exc:
        raise _answered(exc) from exc
    except ssl.SSLCertVerificationError as exc:
        raise Misconfigured(
            "Chứng thư của máy chủ thư không được tin cậy, hoặc không ghi tên máy chủ này."
        ) from exc
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as exc:
        raise Transient("Không kết nối được máy chủ thư.") from exc
    except ssl.SSLError as exc:
        raise Misconfigured("Máy chủ thư không nói TLS ở cổng này.") from exc
    except UnicodeError as exc:
        raise Misconfigured(
            "Tên máy chủ thư, tên hoặc mật khẩu ở đó có ký tự không gửi được."
        ) from exc
    except OSError as exc:
        raise Transient("Không kết nối được máy chủ thư.") from exc


def _answered(exc: smtplib.SMTPException) -> ConnectorError:
    if isinstance(exc, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(exc.recipients.values()))
        return _refused(code, said, "Máy chủ thư từ chối người nhận ({code}).", Rejected)
    if isinstance(exc, smtplib.SMTPSenderRefused):
        sentence = "Máy chủ thư từ chối người gửi ({code})."
        return _refused(exc.smtp_code, exc.smtp_error, sentence)
    if isinstance(exc, smtplib.SMTPAuthenticationError):
        sentence = "Máy chủ thư không nhận tên hoặc mật khẩu của hệ thống ({code})."
        return _refused(exc.smtp_code, exc.smtp_error, sentence)
    if isinstance(exc, smtplib.SMTPDataError):
        return _refused(
            exc.smtp_code, exc.smtp_error, "Máy chủ thư từ chối thư này ({code}).", Rejected
        )
    if isinstance(exc, smtplib.SMTPNotSupportedError):
        return Misconfigured("Máy chủ thư không có STARTTLS, hoặc không cho đăng nhập.")
    if isinstance(exc, smtplib.SMTPResponseException):
        sentence = "Máy chủ thư không nhận ({code})."
        return _refused(exc.smtp_code, exc.smtp_error, sentence)
    return Transient("Máy chủ thư ngắt kết nối hoặc trả lời sai.")


_ENHANCED = re.compile(rb"^[245]\.\d{1,3}\.\d{1,3}")


def _refused(
    code: int, said: bytes | str, sentence: str, at_5yz: type[ConnectorError] = Misconfigured
) -> ConnectorError:
    found = _ENHANCED.match(said if isinstance(said, bytes) else said.encode())
    codes = f"{code} {found[0].decode()}" if found is not None else str(code)
    kind = at_5yz if 500 <= code < 600 else Transient
    return kind(sentence, code=codes)
