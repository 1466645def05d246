"""Pairwise subjects (OIDC Core §8.1): who she is to one sector, and to no other.

A sector keeps a salt of its own for ever, sealed under the keyring: ``sub`` stays what it is
when keys of the installation are replaced.
"""

from sqlalchemy.orm import Mapped, mapped_column

from directory.base.db import Base


class Sector(Base):
    """A sector identifier (a host name) and its salt."""

    __tablename__ = "subject_sector"

    identifier: Mapped[str] = mapped_column(primary_key=True)
    salt_sealed: Mapped[str]
