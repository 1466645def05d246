"""English is complete: every sentence a person can be shown has a translation."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from connectors.notices import message
from connectors.notices.words import FACTS, WORDS
from idp.factors import registry
from idp.web import i18n

ROOT = Path(__file__).parents[3]
MARKS = {"_": None, "gettext": None, "lazy_gettext": None}
ERRORS = {
    "Busy",
    "Conflict",
    "DinhdanhError",
    "InvalidInput",
    "Misconfigured",
    "NeedsStepUp",
    "NotAllowed",
    "NotFound",
    "PageError",
}
OPERATORS_ONLY = {"Misconfigured"}
"""PageError at the command line and in the log, never on a page."""
FORMS = {"Form", "Field", "InConsole"}
"""What factors and the fields of clients ask for; their templates know no sentence."""
VIETNAMESE = re.compile(r"[^\x00-\x7f§]")


def _templates() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "idp/templates").rglob("*.*")):
        with file.open("rb") as source:
            for _line, message, _comments, _context in extract(
                "jinja2.ext:babel_extract", source, MARKS, (), {"encoding": "utf-8"}
            ):
                yield str(message), str(file.relative_to(ROOT))


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _texts(call: ast.Call) -> list[str]:
    return [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]


def _said(node: ast.AST) -> Iterator[str]:
    """The sentences in an expression that is handed to ``gettext`` or to an error."""
    if not isinstance(node, ast.Call):
        return
    name, texts = _name(node), _texts(node)
    if name in MARKS and texts:
        yield texts[0]
    elif name in FORMS:
        said = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
        yield from (text for text in said if isinstance(text, str) and VIETNAMESE.search(text))
    elif name.removeprefix("_") == "wrong":
        yield from (text for text in texts if VIETNAMESE.search(text))
    elif (name in ERRORS - OPERATORS_ONLY and len(texts) > 1) or (
        name == "__init__" and len(texts) > 1 and VIETNAMESE.search(texts[1])
    ):
        yield texts[1]


def _python() -> Iterator[tuple[str, str]]:
    for package in ("directory", "connectors", "idp"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                for sentence in _said(node):
                    yield sentence, str(file.relative_to(ROOT))


def _constants(module: str, pattern: str) -> set[str]:
    """Sentences a module keeps in constants before it hands them to ``gettext``."""
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    return {
        value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and any(re.fullmatch(pattern, ast.unparse(t)) for t in _targets(node))
        for value in ast.walk(node.value or node)
        if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def wanted() -> dict[str, str]:
    """sentence → a file that says it"""
    found = dict([*_templates(), *_python()])
    found |= dict.fromkeys(
        _constants("idp/web/errors.py", "_SENTENCES|_FAULT"), "idp/web/errors.py"
    )
    found |= dict.fromkeys(_constants("idp/web/pages.py", "_FORM_EXPIRED"), "idp/web/pages.py")
    found |= dict.fromkeys(_constants("idp/factors/by_password.py", "WRONG.*"), "idp/factors")
    found |= dict.fromkeys(registry.titles().values(), "idp/factors")
    file = "directory/changes/proposals.py"
    found |= dict.fromkeys(_constants(file, "SENTENCES"), file)
    for each in WORDS.values():
        said = (each.subject, each.happened, each.act)
        found |= dict.fromkeys(said, "connectors/notices/words.py")
    found |= dict.fromkeys(FACTS.values(), "connectors/notices/words.py")
    found |= dict.fromkeys(message.SENTENCES, "connectors/notices/message.py")
    file = "idp/factors/by_certificate.py"
    found |= dict.fromkeys(_constants(file, "SENTENCES"), file)
    file = "connectors/eid/refusals.py"
    found |= dict.fromkeys(_constants(file, "SENTENCES"), file)
    return {sentence: file for sentence, file in found.items() if sentence}


def test_every_sentence_has_an_english_translation() -> None:
    english = i18n.CATALOGS["en"]
    missing = {s: f for s, f in wanted().items() if s not in english}
    assert not missing, "\n".join(f"{file}: {sentence}" for sentence, file in missing.items())


def test_translations_fill_in_the_same_names() -> None:
    def names(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    wrong = [s for s, text in i18n.CATALOGS["en"].items() if names(s) != names(text)]
    assert not wrong


def test_parts_do_not_contradict_each_other() -> None:
    said: dict[str, tuple[str, str]] = {}
    for part in sorted((ROOT / "idp/locale/en").glob("*.po")):
        with part.open("rb") as file:
            for message in read_po(file, locale="en"):
                if not message.id:
                    continue
                before = said.setdefault(str(message.id), (str(message.string), part.name))
                assert before[0] == str(message.string), (message.id, before[1], part.name)


@pytest.mark.parametrize("part", sorted(p.name for p in (ROOT / "idp/locale/en").glob("*.po")))
def test_no_translation_is_empty_or_fuzzy(part: str) -> None:
    with (ROOT / "idp/locale/en" / part).open("rb") as file:
        bad = [m.id for m in read_po(file, locale="en") if m.id and (not m.string or m.fuzzy)]
    assert not bad
