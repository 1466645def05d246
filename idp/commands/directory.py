"""``dinhdanh feed``, ``unit``, ``user find``, ``effects``: the directory at the command line."""

import getpass
from pathlib import Path

import click

from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.changes.table import render_table
from directory.feeds.load import load
from directory.feeds.run import Feed
from directory.feeds.source_rows import Report
from idp.run.installation import opened
from idp.web.i18n import gettext


@click.group()
def feed() -> None:
    """Nạp dữ liệu từ hệ thống nhân sự. / Load data of a personnel system."""


@feed.command("load")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--report", "report_file", type=click.Path(path_type=Path), help="Where refused rows go."
)
def feed_load(folder: Path, report_file: Path | None) -> None:
    """Load positions, units, posts, people and assignments from CSV files in FOLDER.

    Good rows are applied through the door in batches; refused rows are listed with their number
    in the report file. Running it twice changes nothing. Exit status 2 when rows were refused.
    """
    settings = load_settings()
    services = opened(settings)
    bars: dict[str, click._termui_impl.ProgressBar[int]] = {}

    def progress(file: str, done: int, total: int) -> None:
        if file not in bars:
            bars[file] = click.progressbar(length=total, label=f"{file:16}", show_pos=True)
            bars[file].__enter__()
        bar = bars[file]
        bar.update(done - bar.pos)
        if done >= total:
            bar.__exit__(None, None, None)

    run = Feed(
        services.db,
        services.door,
        Actor.operator(getpass.getuser()),
        services.clock,
        progress,
        Report(),
    )
    report = load(run, folder)
    for file in sorted(set(report.added) | set(report.unchanged)):
        changed = f", ~{report.changed[file]}" if report.changed.get(file) else ""
        added, unchanged = report.added.get(file, 0), report.unchanged.get(file, 0)
        click.echo(f"{file}: +{added}{changed}, ={unchanged}")
    for warning in report.warnings[:10]:
        said = gettext(warning.sentence, **warning.args)
        click.echo(f"{warning.file}:{warning.row}: {said}", err=True)
    if report.errors:
        target = report_file or settings.data_dir / "reports" / f"{folder.name}-refused.csv"
        report.write(target)
        for error in report.errors[:10]:
            said = gettext(error.sentence, **error.args)
            click.echo(f"{error.file}:{error.row}: {error.field}: {said}", err=True)
        refused = gettext(
            "Số dòng bị từ chối: {count}; xem {file}.", count=len(report.errors), file=target
        )
        click.echo(refused, err=True)
        raise SystemExit(2)


@click.command("effects")
def effects_table() -> None:
    """Print the event × artefact table as Markdown (docs/effects.md)."""
    click.echo(
        "# What each event does\n\n"
        "Rendered from `directory/changes/table.py` by `dinhdanh effects`; a test keeps it true.\n\n"
        + render_table(),
        nl=False,
    )


commands: list[click.Command] = [feed, effects_table]
