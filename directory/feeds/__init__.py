"""Rows of a personnel system → checked rows → plans through the door.

    rows    reading CSV: encoding, header, one typed check per column, row-numbered errors
    load    positions, units, posts, people with their assignments; batches of 500 people

Rows carry a source key. A row that is already applied is left alone, so that a second run
changes nothing; a row that differs from what was applied is reported, never half-applied;
absence of a row changes nothing.
"""
