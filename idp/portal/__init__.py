"""Everybody's own pages: applications, sessions, capacity, certificates, profile, signing out.

views           routes; they hold no query
pages           what each page shows, read in one go
pages_consents  what she has allowed applications, and what they hold on her behalf
"""
