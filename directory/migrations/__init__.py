"""The Alembic chain for all tables of the product; ``idp/run/migrate.py`` runs it."""
