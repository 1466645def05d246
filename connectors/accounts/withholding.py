"""What a restored installation does not give at any target before its staff list is confirmed.

The directory of a backup says that whoever was dismissed since still works here. To disable an
account is always right; to create, enable or change an active one would be to give, and waits.
"""

from datetime import timedelta

from connectors.accounts import registry
from connectors.accounts.contract import Connector, WantedAccount
from connectors.errors import Withheld
from connectors.tools import Tools
from directory import entitlements
from directory.entitlements import Application

SENTENCE = "Chưa cấp gì tại hệ thống đích: danh sách nhân sự sau khôi phục chưa được xác nhận."
LOOK_AGAIN = timedelta(minutes=15)
"""How long what would be given waits before it is looked at again; a confirmation ends the wait."""


def connector_for(tools: Tools, application: Application, wanted: WantedAccount) -> Connector:
    """The connector of an application for bringing an account into a state.

    Raises Withheld where that would be to give, and Misconfigured.
    """
    if wanted.active:
        with tools.db.hot() as connection:
            waits = entitlements.unconfirmed_since(connection) is not None
        if waits:
            raise Withheld(SENTENCE, retry_after=LOOK_AGAIN)
    return registry.connector_for(tools, application)
