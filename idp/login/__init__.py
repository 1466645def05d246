"""Sign-in: what is still missing before a session may start, and the pages that ask for it.

views           records what a person enters, redirects to /login/<flow>, never to a step; or ends it
views_certificate  the host where people show certificates: one address, back at once
views_activation  the pages of a printed slip
proving         the page and the answers of whichever factor is asked for
reasons         why it asks: which rule, in words
changing        the step at which a temporary password is replaced
enrolling       the step at which somebody enrols her second factor
locked          the page that says how long to wait
asking          what she can be asked for: which factors, what each is told, why two of them
recording       what was proven, written down: as a step, or as the end
completing      a sign-in that ends with what was just proven: all of it written at once
finishing       one that was written down, ended once
flow            the stored state of one sign-in
views_elsewhere the way to another address and back
after_cut       what has ended the session that this browser had: told there, and to nobody else
new_device      she signs in where she never has: she is told
parting         where she may sign out as well, after having been vouched for there
unwritten       a sign-in in which nothing was proven yet: its address says it all
waiting         pages that have waited: carried on, or begun again
flow_rows       the table of flows
person          who is signing in, as she stands now
policy          next_step(proven, demand, policy): pure; what is asked for, in which order

/login ──begin──▶ /login/<flow> ──▶ PROVE (again, until the demand is met) ▶ CHANGE_PASSWORD ▶ ENROL ▶ CAPACITY ▶ DONE ──▶ return_to
"""
