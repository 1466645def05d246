"""What the composition roots share: how Services are made, and which cutters the door has."""

from sqlalchemy import MetaData

import connectors.accounts.orphans
import connectors.accounts.work_items
import connectors.eid.reviews
import connectors.eid.upstreams
import connectors.notices.told
import connectors.pki.foreign_distrust
import connectors.pki.foreign_lists
import connectors.pki.hierarchies
import connectors.pki.tables
import directory.base.nodes
import directory.base.replay_cache
import directory.changes.model
import directory.changes.proposals
import directory.eid_links
import idp.factors.by_recovery_code
import idp.factors.counts
import idp.factors.enrolled
import idp.factors.envelopes
import idp.factors.passwords
import idp.factors.slips
import idp.login.flow_rows
import idp.oidc.authorization.consent
import idp.oidc.authorization.pushed
import idp.oidc.clients
import idp.oidc.clients.invites
import idp.oidc.clients.sectors
import idp.oidc.grant_types.device
import idp.oidc.grants
import idp.oidc.signing_keys
import idp.sessions
import idp.sessions.answers
from connectors.accounts.apply import AccountCutter
from connectors.notices.contact_cutter import ContactCutter
from connectors.outbound import Outbound
from connectors.pki.cutter import CertificateCutter
from directory.base import processors
from directory.base.clock import Clock, system_clock
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Base, Database
from directory.base.hashing import PasswordHasher
from directory.base.patience import UNHURRIED, Limits
from directory.base.workers import Workers
from directory.changes import tree_day
from directory.changes.door import Door
from directory.changes.roles import RoleCutter
from directory.changes.thresholds import Thresholds
from idp.factors.certificate_cutter import CertificateWayCutter
from idp.factors.slip_cutter import SlipCutter
from idp.oidc.cutter import AccessCutter
from idp.services import Services


def build(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    create_keyring: bool = False,
    limits: Limits = UNHURRIED,
) -> Services:
    """Open the database, to be waited for so long, and the keyring; hand the door its cutters."""
    keyring = Keyring.open(settings.keyring, create=create_keyring)
    db = Database(settings.database, limits=limits, prepared=settings.database_prepared)
    tree_day.watch(db, clock)
    return Services(
        settings=settings,
        clock=clock,
        db=db,
        keyring=keyring,
        passwords=PasswordHasher(workers=Workers(processors.share(settings.web_processes))),
        door=Door(
            cutters=(
                AccessCutter(settings),
                AccountCutter(),
                CertificateCutter(),
                CertificateWayCutter(),
                RoleCutter(),
                SlipCutter(),
                ContactCutter(),
            ),
            keyring=keyring,
            thresholds=Thresholds(
                settings.change_approval_people,
                settings.change_approval_accounts,
                settings.change_approval_percent,
            ),
            idempotency_days=settings.idempotency_days,
        ),
        outbound=Outbound(settings),
    )


def metadata() -> MetaData:
    """All tables of the product, for Alembic."""
    return Base.metadata
