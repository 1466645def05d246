"""The words of notices, in either language, for whoever sends them."""

from connectors.notices.message import Speaker
from idp.factors import registry
from idp.web import i18n


class Speaking:
    """Implements ``connectors.notices.message.Speaker`` by what pages say."""

    def say(self, language: str, sentence: str, /) -> str:
        """The sentence in that language."""
        return i18n.in_language(language, sentence)

    def factor(self, code: str, /) -> str:
        """What people call a factor; its code, where this release knows none of that code."""
        return registry.titles().get(code, code)


NOTICES: Speaker = Speaking()
