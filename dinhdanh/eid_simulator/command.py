"""``dinhdanh eid-simulator`` and ``python -m dinhdanh.eid_simulator``."""

import ipaddress
import json
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import click

from dinhdanh.eid_simulator import clients, people
from dinhdanh.eid_simulator.faults.registry import FAULTS
from dinhdanh.eid_simulator.people import WrongFile
from dinhdanh.eid_simulator.running import Simulator
from dinhdanh.eid_simulator.simulation import MOUNTS, PROFILES, Mount, Settings

PORT = 8470
LABEL = "MÔ PHỎNG, không phải VNeID. / SIMULATION, this is not VNeID."
CLOSED = (
    "{what} không phải địa chỉ của riêng máy này. Ai cũng đăng nhập được bằng bất kỳ ai ở bản mô "
    "phỏng; nếu thật sự muốn, thêm --let-others-sign-in-as-anybody.\n"
    "{what} is not an address of this machine alone. At the simulator anybody signs in as anybody; "
    "if that is what you want, add --let-others-sign-in-as-anybody."
)


@click.command("eid-simulator")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--issuer", help="Where browsers find it, if that is behind a proxy.")
@click.option("--people", "people_file", type=click.Path(path_type=Path), help="JSON list.")
@click.option("--clients", "clients_file", type=click.Path(path_type=Path), help="JSON list.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for keys; none are kept.")
@click.option("--also", multiple=True, metavar="PROFILE=PREFIX", help="One more provider.")
@click.option("--control-token", help="What calls to the control API must bring.")
@click.option("--let-others-sign-in-as-anybody", "open_to_all", is_flag=True)
@click.option("--list-faults", is_flag=True, help="Print the faults as JSON and end.")
def eid_simulator(  # noqa: PLR0913 (its options)
    *,
    port: int,
    host: str,
    issuer: str | None,
    people_file: Path | None,
    clients_file: Path | None,
    keep: Path | None,
    also: tuple[str, ...],
    control_token: str | None,
    open_to_all: bool,
    list_faults: bool,
) -> None:
    """Mô phỏng nhà cung cấp định danh điện tử. / Simulate e-identification providers."""
    if list_faults:
        click.echo(json.dumps({code: fault.does._asdict() for code, fault in FAULTS.items()}))
        return
    base = (issuer or f"http://localhost:{port}").rstrip("/")
    named = urlsplit(base).hostname or ""
    outside = [each for each in (host, named) if not _of_this_machine(each)]
    if outside and not open_to_all:
        raise click.ClickException(CLOSED.format(what=outside[0]))
    try:
        settings = Settings(
            base=base,
            people=people.PEOPLE if people_file is None else people.read(people_file),
            clients=() if clients_file is None else clients.read(clients_file),
            mounts=_mounts(also),
            folder=keep,
            control=not outside or control_token is not None,
            control_token=control_token,
        )
        simulator = Simulator(settings, host=host, port=port).start()
    except (WrongFile, OSError) as exc:
        raise click.ClickException(str(exc)) from exc
    _announce(simulator)
    _wait()
    simulator.stop()


def _of_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _mounts(also: tuple[str, ...]) -> tuple[Mount, ...]:
    """One of each profile, and what else is wanted."""
    mounts = list(MOUNTS)
    for said in also:
        profile, _, prefix = said.partition("=")
        taken = ["control", *(mount.prefix for mount in mounts)]
        if profile not in PROFILES or not prefix.isalnum() or prefix in taken:
            raise click.ClickException(
                f"--also {said}: {'|'.join(PROFILES)}=PREFIX, letters and digits not yet taken"
            )
        mounts.append(Mount(profile, prefix))
    return tuple(mounts)


def _announce(simulator: Simulator) -> None:
    click.echo(LABEL, err=True)
    click.echo(f"{simulator.base}/  (Ctrl-C để dừng / to stop)", err=True)
    client = {"client_id": clients.DEMO, "client_secret": clients.DEMO_SECRET}
    click.echo(
        json.dumps(
            {"client": client, "providers": simulator.control.documents()},
            ensure_ascii=False,
            indent=2,
        )
    )
    sys.stdout.flush()


def _wait() -> None:
    """Until somebody ends this process."""
    over = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: over.set())
    over.wait()
