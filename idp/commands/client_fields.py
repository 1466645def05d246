"""The fields of a client's metadata at the command line: options, and NAME=VALUE."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from idp.oidc.clients import GrantType, Profile, Registration, documents, sorts
from idp.oidc.clients.fields import By, Field, Option

APPLICATION = "application"
"""Said by its code."""


def settable() -> dict[str, Field[Any]]:
    """What may be said as NAME=VALUE: by our names, and by those of the registries."""
    fields = [
        each
        for each in Registration.every_field().values()
        if each.by >= By.OPERATOR and each.sort is not sorts.LANGUAGES
    ]
    return {each.name: each for each in fields} | {each.registered: each for each in fields}


def names() -> str:
    """Our names of them, and the application, for help."""
    return ", ".join([*dict.fromkeys(each.name for each in settable().values()), APPLICATION])


class WithFields(click.Command):
    """A command that has the options of the fields; what was given is ``fields``: name → texts."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own, and those of the fields."""
        own = super().get_params(ctx)
        return [*own[:-1], *(_option(e, option) for e, option in _options()), *own[-1:]]

    def invoke(self, ctx: click.Context) -> Any:
        """Call it with the options gathered."""
        fields = {}
        for each, option in _options():
            given = ctx.params.pop(_parameter(each))
            if option.means:
                given = [option.means] if given else []
            if given:
                fields[each.name] = given
        ctx.params["fields"] = fields
        return super().invoke(ctx)


def _options() -> list[tuple[Field[Any], Option]]:
    """The fields that have an option."""
    fields = Registration.every_field().values()
    return [(each, each.option) for each in fields if each.option is not None]


def _parameter(each: Field[Any]) -> str:
    return "field_" + each.name


def _option(each: Field[Any], option: Option) -> click.Option:
    declared, says = [option.flag, _parameter(each)], option.says or None
    if option.means:
        return click.Option(declared, is_flag=True, help=says)
    chosen = click.Choice(each.chosen_from) if each.chosen_from else click.STRING
    return click.Option(declared, multiple=True, type=chosen, help=says)


def read(each: Field[Any], texts: Iterable[str]) -> Any:
    """The value of a field from what was typed. Raises BadParameter, InvalidInput."""
    given = list(texts)
    if each.sort is not sorts.OBJECT:
        return each.sort.typed(each.name, given)
    file = sorts.TEXT.typed(each.name, given)
    try:
        return None if file is None else _document(file)
    except OSError as error:
        raise click.BadParameter(f"{each.name}: {error}", param_hint="NAME=VALUE") from error


def _document(file: str) -> Any:
    with click.open_file(file, "rb") as opened:
        return documents.parse(opened.read()).values


def read_new(
    name: str, options: Mapping[str, Iterable[str]], pairs: Iterable[str]
) -> dict[str, Any]:
    """What is said of a new client. Raises BadParameter, also for what is said twice, and
    InvalidInput naming the field.
    """
    said = read_pairs(pairs)
    twice = said.keys() & {"name", *options}
    if twice:
        raise click.BadParameter(", ".join(sorted(twice)), param_hint="--set")
    known = settable()
    return (
        said | {each: read(known[each], texts) for each, texts in options.items()} | {"name": name}
    )


def read_pairs(pairs: Iterable[str]) -> dict[str, Any]:
    """The values by our names; ``application`` among them as its code. Raises BadParameter, and
    InvalidInput naming the field.
    """
    known = settable()
    texts: dict[str, list[str]] = {}
    for pair in pairs:
        said, equals, value = pair.partition("=")
        name = known[said].name if said in known else said
        if (name not in known and name != APPLICATION) or not equals:
            raise click.BadParameter(pair, param_hint="NAME=VALUE")
        texts.setdefault(name, []).append(value)
    return {
        name: sorts.TEXT.typed(name, given)
        if name == APPLICATION
        else read(known[name], known[name].sort.parted(given))
        for name, given in texts.items()
    }


def changed(held: Registration, said: Mapping[str, Any]) -> Registration:
    """The client with what was said in place of what is registered, and what goes with it."""
    values = dict(said)
    uri = "frontchannel_logout_uri"
    # Whoever is told of sign-outs is told whose, unless it is said otherwise.
    if uri in values and bool(values[uri]) != bool(held.options.frontchannel_logout_uri):
        values.setdefault("frontchannel_logout_session_required", bool(values[uri]))
    if "auth_method" in values:  # who names one means that one
        values.setdefault("pin_auth_method", True)
    usual = Registration.id_token_alg.usual[Profile.STANDARD]
    if values.get("profile", Profile.STANDARD) is not Profile.STANDARD:
        values.setdefault("id_token_alg", None if held.id_token_alg == usual else held.id_token_alg)
    return held.saying(values)


def new(said: Mapping[str, Any]) -> Registration:
    """A new client; its grant types are those that its response types need."""
    types = said.get("response_types", ())
    by_code = not types or any("code" in each.words for each in types)
    usual = {} if by_code else {"grant_types": (GrantType.IMPLICIT,)}
    return changed(Registration(), usual | dict(said))
