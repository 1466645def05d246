"""What a person proves herself with. One module per factor, each with its own table.

passwords       argon2id, strength, forced change
slips           activation slips and links: how a password comes about, and what voids them
slip_cutter     what a change does to them
throttle        guessing slowed down: per person, source and installation
"""
