"""Which class plays which profile."""

from dinhdanh.eid_simulator.faults.fault import DVCQG, STANDARD, VNEID
from dinhdanh.eid_simulator.pages import Pages
from dinhdanh.eid_simulator.providers.dvcqg import Dvcqg
from dinhdanh.eid_simulator.providers.provider import Provider
from dinhdanh.eid_simulator.providers.standard import Standard
from dinhdanh.eid_simulator.providers.vneid2026 import Vneid2026
from dinhdanh.eid_simulator.simulation import Simulation

CLASSES: dict[str, type[Provider]] = {STANDARD: Standard, DVCQG: Dvcqg, VNEID: Vneid2026}


def providers(simulation: Simulation, pages: Pages) -> dict[str, Provider]:
    """The providers of a simulation, by prefix."""
    return {
        mount.prefix: CLASSES[mount.profile](simulation, mount, pages)
        for mount in simulation.settings.mounts
    }
