"""What pages say, in the two languages they say it in.

The package stands alone: it does not use the product's catalogue of translations.
"""

from typing import NamedTuple

LANGUAGES = ("vi", "en")
"""Vietnamese first."""


class Said(NamedTuple):
    """One sentence in both languages."""

    vi: str
    en: str

    def in_(self, language: str) -> str:
        """The sentence in one of ``LANGUAGES``; Vietnamese for any other."""
        return self.en if language == "en" else self.vi


NOTHING = Said("", "")
"""Nothing to say."""
