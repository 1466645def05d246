"""The applications' own side: their SCIM accounts, and what they have received."""

from datetime import datetime
from typing import Any

import httpx2

from examples.demo.story.telling import NotSo


class Application:
    """One demonstration application, asked with its own token, as its owner would."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.code: str = entry["code"]
        self.name: str = entry["name"]
        self.url: str = entry["url"]
        self._scim = entry["scim_url"]
        self._http = httpx2.Client(
            headers={"Authorization": f"Bearer {entry['scim_token']}"},
            timeout=10.0,
            trust_env=False,
        )

    def account(self, username: str) -> dict[str, Any] | None:
        """The account with this user name, as the application has it."""
        answer = self._http.get(
            f"{self._scim}/Users", params={"filter": f'userName eq "{username}"'}
        )
        if answer.status_code != 200:
            raise NotSo(f"{self.code}: look up {username} by SCIM", "200", answer.status_code)
        found = answer.json().get("Resources") or []
        if len(found) > 1:
            raise NotSo(f"{self.code}: accounts of {username}", "at most one", len(found))
        return found[0] if found else None

    def count(self) -> int:
        """How many accounts it has."""
        answer = self._http.get(f"{self._scim}/Users", params={"count": 0})
        return int(answer.json()["totalResults"])

    def activity(self, *, since: datetime | None = None) -> list[dict[str, Any]]:
        """What it received, oldest first. Its own questions by name are left out."""
        answer = self._http.get(f"{self.url}/activity")
        if answer.status_code != 200:
            raise NotSo(f"{self.code}: /activity", "200", answer.status_code)
        entries: list[dict[str, Any]] = [
            entry
            for entry in answer.json()
            if "userName eq" not in entry["detail"].get("filter", "")
        ]
        if since is None:
            return entries
        return [entry for entry in entries if moment(entry["at"]) >= since]


def moment(text: str) -> datetime:
    """An ISO time with its zone."""
    return datetime.fromisoformat(text)


def work(account: dict[str, Any]) -> dict[str, Any]:
    """What an account says of the post: active, role, unit."""
    enterprise = account.get("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User") or {}
    roles = [role.get("value") for role in account.get("roles") or []]
    return {
        "active": account.get("active"),
        "role": roles[0] if roles else None,
        "department": enterprise.get("department"),
    }


def created(account: dict[str, Any]) -> datetime:
    """When the application made the account."""
    return moment(account["meta"]["created"])
