"""``dinhdanh order-of-checks``: the table that the OpenID Provider's endpoints follow, as a page."""

import click

from idp.oidc.order import render_page


@click.command("order-of-checks")
def order_of_checks() -> None:
    """Print the order of checks as Markdown (docs/order-of-checks.md)."""
    click.echo(render_page(), nl=False)


commands: list[click.Command] = [order_of_checks]
