"""What a notice says: Vietnamese first, then English, in one message; a line of it as a text message.

Whoever reads it may know either language, and no setting of hers is believed about that: the message
that says her settings were changed is the one that must be understood.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from connectors.notices.words import FACTS, WORDS, Notice
from directory.base.clock import VIETNAM

LANGUAGES = ("vi", "en")


class Speaker(Protocol):
    """How sentences become those of a language, and what codes are called; the edge knows."""

    def say(self, language: str, sentence: str, /) -> str:
        """The sentence in that language, its ``{names}`` still to be filled in."""
        ...

    def factor(self, code: str, /) -> str:
        """What a factor is called, as a sentence for ``say``."""
        ...


@dataclass(frozen=True)
class Message:
    """What is sent."""

    ref: str
    """Names it at every try."""
    subject: str
    text: str
    short: str
    """All of it that a text message has room for."""
    sender: str
    """The installation's name."""
    at: datetime


@dataclass(frozen=True)
class About:
    """What a message is made of."""

    ref: str
    what: Notice
    facts: Mapping[str, str]
    told_at: datetime
    name: str
    user_id: int
    sender: str
    contact: str
    """Whom to ask, in the installation's own words; may be empty."""
    doer: str = ""
    """The name of the person who did it, if it was another."""


def compose(about: About, speaker: Speaker) -> Message:
    """The message of a notice."""
    words = WORDS[about.what]
    titles = [speaker.say(each, words.subject).replace("{name}", about.name) for each in LANGUAGES]
    parts = [_part(language, about, speaker) for language in LANGUAGES]
    asked = speaker.say(LANGUAGES[0], SHORT)
    return Message(
        about.ref,
        _line(" / ".join(titles)),
        f"\n\n{RULE}\n\n".join(parts) + "\n",
        _line(f"{about.sender}: {titles[0]} ({_moment(about.told_at)}). {asked}"),
        _line(about.sender),
        about.told_at,
    )


RULE = "-" * 40


DEAR = "Kính gửi {name},"
WHEN = "Lúc: {moment} (giờ Việt Nam)"
ASK = "Nơi hỏi: {contact}"
NOBODY = "bộ phận tổ chức cán bộ của đơn vị bạn"
SHORT = "Không phải bạn? Hãy báo ngay bộ phận tổ chức cán bộ."
FOOT = (
    "Thư này do hệ thống tự gửi. Nó không có đường dẫn, và không ai của hệ thống hỏi mật khẩu hay mã của bạn "
    "bằng thư, tin nhắn hoặc điện thoại."
)
DOERS = {
    "self": "chính tài khoản của bạn",
    "operator": "quản trị viên máy chủ",
    "system": "hệ thống",
    "client": "một hệ thống kết nối",
}
SENTENCES = (DEAR, WHEN, ASK, NOBODY, SHORT, FOOT, *DOERS.values())


def _part(language: str, about: About, speaker: Speaker) -> str:
    words = WORDS[about.what]

    def said(sentence: str, **args: str) -> str:
        text = speaker.say(language, sentence)
        for name, value in args.items():
            text = text.replace("{" + name + "}", value)
        return text

    facts = [said(WHEN, moment=_moment(about.told_at)), *_facts(language, about, speaker)]
    contact = about.contact or said(NOBODY)
    return "\n\n".join(
        (
            *(() if words.to_officers else (said(DEAR, name=about.name),)),
            said(words.happened, name=about.name),
            "\n".join(facts),
            said(words.act),
            said(ASK, contact=contact),
            said(FOOT),
        )
    )


def _facts(language: str, about: About, speaker: Speaker) -> Iterator[str]:
    for name, title in FACTS.items():
        if value := _told(language, name, about, speaker):
            yield f"{speaker.say(language, title)}: {value}"


def _told(language: str, name: str, about: About, speaker: Speaker) -> str:
    value = about.facts.get(name, "")
    if not value:
        return ""
    if name == "factor":
        return ", ".join(speaker.say(language, speaker.factor(c)) for c in value.split(","))
    if name == "by":
        return _doer(language, value, about, speaker)
    if name == "until":
        return _moment(datetime.fromisoformat(value))
    return value


def _doer(language: str, key: str, about: About, speaker: Speaker) -> str:
    kind, _, who = key.partition(":")
    if kind == "user" and who == str(about.user_id):
        return speaker.say(language, DOERS["self"])
    if kind in DOERS:
        return speaker.say(language, DOERS[kind])
    return about.doer


def _moment(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%d/%m/%Y %H:%M")


def _line(text: str) -> str:
    """In one line, whatever names hold: it becomes a header."""
    return " ".join(text.split())
