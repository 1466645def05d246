"""What changes are called: the words of each kind, composed with what one is about when shown.

Filled as kinds are registered, and below everything that names a change: the model, what waits.
"""

_TITLES: dict[str, str] = {}


def name(code: str, words: str) -> None:
    """From now on changes of this kind are called so."""
    _TITLES[code] = words


def forget(code: str) -> None:
    """A kind that is no more has no name."""
    _TITLES.pop(code, None)


def of_kind(code: str) -> str:
    """The Vietnamese words of a kind; the code where it has none."""
    return _TITLES.get(code, code)


def all_titles() -> dict[str, str]:
    """Code → words, of every kind."""
    return dict(_TITLES)


def composed(code: str, about: str | None, number: int = 0) -> str:
    """“Điều động: Lê Thị Lan”, “Điều động (12)”, “Giao biên chế”."""
    words = of_kind(code)
    if about:
        return f"{words}: {about}"
    return f"{words} ({number})" if number else words


def undoing(code: str, about: str | None, number: int = 0) -> str:
    """“Hoàn tác · Điều động: Lê Thị Lan”, of what takes such a change back."""
    return f"{of_kind('undo')} · {composed(code, about, number)}"
