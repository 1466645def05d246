"""Everybody's own pages: applications, sessions, capacity, certificates, profile, signing out.

views           routes; they hold no query
views_sessions  where I am signed in: ended, or said to be not mine
views_way_certificate  one more way of mine to sign in: a certificate
adding_ways     what holds of each way I add: who may, how many, the codes with the first
views_ways      my ways to sign in: added, renamed, taken away, lost
pages           what each page shows, read in one go
pages_consents  what she has allowed applications, and what they hold on her behalf
pages_sessions  where she is signed in, and what became of the sign-ins in her name
pages_ways      what the page about them shows, and what touching one asks for
"""
