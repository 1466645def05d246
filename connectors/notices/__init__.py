"""What a person is told of her own account: by mail, by text message, or as a file for the closed network.

    sending         the job: one notice, by every channel there is, to every address on record
    channels        those that are configured; each keeps the promises of channel
    by_smtp         a mail server of the agency's
    by_drop         files in a folder, for the closed network
    letter          a message as a letter
    message         what a notice says, in both languages
    contact_cutter  what a change of address or number has told
    told            the table: who is told what, at which addresses, and what became of it
    words           what can be told

``tell`` writes a row and a job in the caller's transaction; nothing is sent in it. Nothing anybody may
do hangs on whether a notice arrives.
"""

from connectors.notices.told import Reach, tell, tell_all
from connectors.notices.words import Notice

__all__ = ["Notice", "Reach", "tell", "tell_all"]
