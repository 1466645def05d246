"""What a person proves herself with. One module per factor, each with its own table.

registry        the factors there are: a new one is one line
factor          Proven, Asking, Form, Answer; the protocol of a factor
by_password     the password as a factor; the password asked again
guarded         the one check of what can be guessed
passwords       one form, hashes, strength, forced change
wordlist        words that make a password easy to guess here
slips           activation slips and links: how a password comes about, and what voids them
slip_cutter     what a change does to them
throttle        guessing slowed down: per person, source and installation
"""
