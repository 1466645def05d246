"""Rows of a personnel system → checked rows → plans through the door.

    text    the text of a file: encoding, delimiter, what is no row
    source_rows  reading CSV: header, one typed check per column, row-numbered errors
    run     one run: door, batches of 500 people, what is applied already
    people  people with their assignments, each whole or not at all
    load    the folder: positions, units, posts, then people

Rows carry a source key. A row that is already applied is left alone, so that a second run
changes nothing; a row that differs from what was applied is reported, never half-applied;
absence of a row changes nothing.
"""
