"""``dinhdanh eid-simulator``: starts a package that is no part of the product's own rooms.

It is loaded by name and only here: nothing of the product depends on it, and it on nothing of the
product.
"""

import importlib

import click

commands: list[click.Command] = [
    importlib.import_module("dinhdanh.eid_simulator.command").eid_simulator
]
