"""Field: one field of a client's metadata, said once; and values by such fields.

A field is one attribute of a table (``columns.Registration``, ``options.Options``). Whoever reads,
checks, stores, asks for or tells metadata goes through the tables and names no field of its own
accord, but where two of them depend on one another (``metadata``, ``profiles``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from idp.oidc.clients import sorts
from idp.oidc.clients.kinds import Profile
from idp.oidc.clients.sorts import Sort

T = TypeVar("T")
RFC7591 = "RFC 7591 §2"
OIDC = "OpenID Connect Dynamic Client Registration 1.0 §2"
OURS = ""


class By(IntEnum):
    """Who may set a field: whoever stands here, and the operator. Owners of applications set what
    the console asks for (``Field.console``).
    """

    PRODUCT = 0
    """Nobody outside."""
    OPERATOR = 1
    """The command line."""
    ITSELF = 2
    """The client that registers itself (RFC 7591); such a field is told to it, too."""


@dataclass(frozen=True)
class Option:
    """The option of ``dinhdanh client register``."""

    flag: str
    says: str = ""
    """English."""
    means: str = ""
    """What the option stands for where it takes no value."""


@dataclass(frozen=True)
class InConsole:
    """How the console asks for a field, and what a client's page says of it. In Vietnamese."""

    order: int
    """Its place in forms and on the page."""
    label: str = ""
    """Of the forms; empty: they do not ask for it."""
    help: str = ""
    fact: str = ""
    """Of the client's page; empty: it says nothing of it."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Of a choice and of a flag, by their texts."""
    when: Callable[[Any], bool] = lambda _registration: True
    """Of which clients it is asked (``applies``)."""
    input: str = ""
    """The name in the form, where it is not the field's own."""
    first: bool = False
    """Asked before "more"."""
    only_new: bool = False
    """Decided when the client is registered."""
    wide: bool = False
    """Only whoever looks after the whole installation is asked."""
    denies: bool = False
    """Ticking the box says no."""


@dataclass(eq=False)
class Field(Generic[T]):
    """One field. On values it is the value."""

    sort: Sort[T]
    source: str
    """The specification; empty: ours."""
    registered: str = ""
    """Its name in the registries, where ours differs."""
    by: By = By.ITSELF
    check: Callable[[str, Any], object] | None = None
    """``check(name, value)`` raises InvalidInput; None is not checked."""
    default: T | None = None
    """Where nothing is said, if not as its sort has it."""
    usual: Mapping[Profile, T] = field(default_factory=dict)
    """What a profile has in place of None or False."""
    choices: Sequence[str] = ()
    """What may be chosen, where the sort has no members."""
    always: bool = False
    """Told also where it is the default; flags always are."""
    localized: bool = False
    """Shown to people, and said in several languages (RFC 7591 §2.2)."""
    option: Option | None = None
    console: InConsole | None = None
    name: str = field(default="", init=False)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.registered = self.registered or name

    @overload
    def __get__(self, values: None, owner: type) -> "Field[T]": ...
    @overload
    def __get__(self, values: object, owner: type) -> T: ...
    def __get__(self, values: object, owner: type) -> Any:
        # Values keep theirs in their own dictionary, which comes first.
        return self if values is None else self.unsaid

    @property
    def unsaid(self) -> Any:
        """The value where nothing is said."""
        return self.sort.default if self.default is None else self.default

    @property
    def chosen_from(self) -> list[str]:
        """The texts among which the value is chosen; none: it is free."""
        return [str(each) for each in self.sort.members or self.choices]

    def require(self, value: Any) -> None:
        """Raises InvalidInput for a value that the field may not have."""
        if self.check is not None and value is not None:
            self.check(self.name, value)

    def texts(self, value: T) -> list[str]:
        """The value as it is typed: one text, several, or none."""
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]

    def is_told(self, value: T) -> bool:
        """Whether the client is told it (RFC 7591 §3.2.1)."""
        always = self.always or self.sort is sorts.FLAG
        return self.by is By.ITSELF and (always or value != self.unsaid)


class Values:
    """Values by the fields of a table; they do not change once made."""

    fields: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        cls.fields = {name: each for name, each in vars(cls).items() if isinstance(each, Field)}

    def __init__(self, **said: Any) -> None:
        if unknown := said.keys() - self.fields.keys():
            raise TypeError(f"no such metadata: {', '.join(sorted(unknown))}")
        for name, each in self.fields.items():
            self.__dict__[name] = said.get(name, each.unsaid)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._said() == other._said()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._said()})"

    def _said(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.fields}

    def but(self, **changed: Any) -> Self:
        """The same with other values of some fields."""
        return type(self)(**(self._said() | changed))

    def items(self) -> Iterator[tuple[Field[Any], Any]]:
        """Each field with its value."""
        for name, each in self.fields.items():
            yield each, getattr(self, name)


@contextmanager
def added(table: type[Values], name: str, new: Field[Any]) -> Iterator[None]:
    """The table has this field, too, for as long as the block runs: for tests."""
    if name in table.fields:
        raise ValueError(name)
    new.__set_name__(table, name)
    setattr(table, name, new)
    table.fields[name] = new
    try:
        yield
    finally:
        del table.fields[name]
        delattr(table, name)
