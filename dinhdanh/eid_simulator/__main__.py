"""``python -m dinhdanh.eid_simulator``."""

from dinhdanh.eid_simulator.command import eid_simulator

eid_simulator(prog_name="python -m dinhdanh.eid_simulator")
