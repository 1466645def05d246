"""The kinds of change, one file each: ``KIND`` in ``<name>.py`` is registered when this is imported.

To add one: its file here, a row per event in ``changes/table.py``, words in idp/locale and
docs/vocabulary.md, a test. Nothing else names it.
"""

import importlib
import pkgutil

from directory.changes.kind import register

for _module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
    register(importlib.import_module(f"{__name__}.{_module.name}").KIND)
