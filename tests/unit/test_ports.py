"""A reserved port stays with whoever reserved it, whichever process asks next."""

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dinhdanh import ports

_ANOTHER_PROCESS = "from dinhdanh import ports; print(*ports.reserve(ports.SIZE))"
pytestmark = pytest.mark.enable_socket


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The first port of the only block there is. Among the processes that run now it is held, so that
    nobody comes between; here and in children it has a lock of its own.
    """
    with ports.reserve(ports.SIZE) as held:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr(ports, "_FIRST", held.first)
        monkeypatch.setattr(ports, "_LAST", held.first + ports.SIZE)
        yield held.first


def test_two_blocks_share_no_port() -> None:
    with ports.reserve(4) as one, ports.reserve(4) as other:
        assert not set(one) & set(other)


def test_another_process_is_given_other_ports() -> None:
    with ports.reserve(ports.SIZE) as mine:
        printed = subprocess.run(
            [sys.executable, "-c", _ANOTHER_PROCESS], capture_output=True, text=True, check=True
        ).stdout
        assert not set(mine) & {int(word) for word in printed.split()}


def test_a_port_that_a_stranger_listens_on_is_not_given_out(only: int) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", only))
        with pytest.raises(OSError, match="taken"):
            ports.reserve()


def test_a_block_can_be_had_again_when_it_is_released_and_when_its_holder_dies(only: int) -> None:
    with ports.reserve() as block:
        assert block.first == only
    script = f"""
from dinhdanh import ports
ports._FIRST, ports._LAST = {only}, {only + ports.SIZE}
ports.reserve()
print("held", flush=True)
input()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(OSError, match="taken"):
            ports.reserve()
        holder.kill()
        holder.wait()
        with ports.reserve() as block:
            assert block.first == only
    block.release()  # a second time: nothing happens to who has it now
    with ports.reserve() as again:
        block.release()
        assert again.first == only


@pytest.mark.parametrize("count", [0, -1, ports.SIZE + 1])
def test_a_block_is_of_one_to_ten_ports(count: int) -> None:
    with pytest.raises(ValueError, match=str(count)):
        ports.reserve(count)


def test_no_port_is_one_that_the_system_hands_out_to_outgoing_connections() -> None:
    with ports.reserve(ports.SIZE) as block, socket.create_server(("127.0.0.1", 0)) as server:
        lowest = server.getsockname()[1]
        assert max(block) < 32_768
        assert lowest not in set(block)
