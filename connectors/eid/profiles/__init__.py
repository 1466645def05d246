"""How one sort of upstream is spoken to: a profile is a value in one file. A new one is one line.

dvcqg           the National Public Service Portal
vneid2026       VNeID directly
standard        any OpenID Provider
profile         what a profile says, and what it is given
"""

from connectors.eid.profiles import dvcqg, standard, vneid2026
from connectors.eid.profiles.profile import Back, Begun, EidProfile, Party, Visit

__all__ = ["PROFILES", "Back", "Begun", "EidProfile", "Party", "Visit"]

PROFILES: dict[str, EidProfile] = {
    one.code: one for one in (standard.PROFILE, dvcqg.PROFILE, vneid2026.PROFILE)
}
