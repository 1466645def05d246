"""``dinhdanh serve | worker``: the processes of a node."""

import click

from directory.base.config import load_settings
from idp.run import server
from idp.web.i18n import gettext


@click.command("serve")
@click.option("--with-worker", is_flag=True, help="One node: web and worker under one parent.")
def serve(*, with_worker: bool) -> None:
    """Chạy máy chủ web. / Serve the web."""
    settings = load_settings()
    click.echo(gettext("Dinhdanh: {url} (Ctrl-C để dừng)", url=settings.issuer), err=True)
    beside = {"worker": server.run_worker} if with_worker else {}
    server.serve(settings, runs={"web": server.run_web} | beside)


@click.command("worker")
def worker() -> None:
    """Chạy tiến trình xử lý việc. / Do the jobs."""
    if not server.work(load_settings()):
        raise SystemExit(1)


commands: list[click.Command] = [serve, worker]
