"""What every page stands on, and nothing that a page is about.

front_door      what is answered before Flask
away            what whoever asks is told while the database is away
unwritten       a form that came when its sender had to sign in again: nothing of it is lost
language_switch the switch between the languages leads back to the page it stands on
judged          what is said of a new password, sent or being typed
form_keys       a form sent twice acts once; what is shown once survives a reload
pages           what every page shares
page_policy     what a page may load, and who may frame it
errors          what is told when something is wrong, to people and to programs
ending          when the session of a page ends: a note, and the warning before
gate            what every request that Flask answers goes through
beyond_reach    what whoever cannot prove what is asked is told
asked_again     why who has signed in is asked to do it once more
threshold       what is looked at of every request before anything else, whichever door it comes by
speaking        the words of notices, in either language
labels          words for what the directory keeps as codes; audit_labels: for the trail
i18n            two languages; the message ids are the Vietnamese sentences
exchange        one request and its answer, as both doors know them
"""
