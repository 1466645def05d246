"""The Alembic chain for all tables of the product; ``idp/migrate.py`` runs it."""
