"""The port `core.pulling.Pull` over real vendors: which account, with which credential, from which place on.

Here belongs putting it together, and that one account's failure is no other's. Not here: any of the parts.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

import httpx
from msgspec import Struct

from core.ports import Clock, Progress
from core.pulling import Mailbox, Pulled
from orchestration.resources.pull.accounts import Account, Accounts
from orchestration.resources.pull.backfill import VENDORS, Resource, resources
from orchestration.resources.pull.cursors import Cursor, alone
from orchestration.resources.pull.gmail import Gmail
from orchestration.resources.pull.google_token import SCOPE, GoogleToken
from orchestration.resources.pull.handover import Fetched, Page, hand_in
from orchestration.resources.pull.http import Api, Authorization, Bucket, Fixed, Passage, PullError, PullUsageError, Tries
from orchestration.resources.pull.mailbox import Place, read_on
from orchestration.resources.settings import Settings
from orchestration.resources.state import State
from orchestration.resources.vault import Vault

C = TypeVar("C")
_Work = Callable[[Account], Fetched]

BURST = 5
"""Requests at once, before the rate counts."""

_HISTORY, _WATCH = "history", "watch"


class _Watch(Struct):
    expires_at: datetime


class _BusyError(Exception):
    """Somebody else reads this account."""


@dataclass(frozen=True)
class VendorPull:
    """Everything that can be fetched for the tenants of an installation. With `is_dry` it is read and neither handed in nor noted."""

    settings: Settings
    state: State
    vault: Vault
    client: httpx.Client
    clock: Clock
    progress: Progress
    passage: Passage = field(default_factory=Passage)
    is_dry: bool = False
    _buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)

    def mailboxes(self) -> Sequence[Mailbox]:
        """Every mailbox that may be polled."""
        return self._accounts.mailboxes(self.clock.now())

    def every(self) -> timedelta:
        """How often a mailbox is looked at."""
        return timedelta(seconds=self.settings.gmail_poll_seconds)

    def poll(self, mailbox: Mailbox) -> Pulled:
        """Hand in what is new in a mailbox."""
        return self._guarded(mailbox, _HISTORY, self._poll)

    def watch(self, mailbox: Mailbox) -> Pulled:
        """Let Gmail go on telling of a mailbox's changes."""
        return self._guarded(mailbox, _WATCH, self._watch)

    def back_fill(self, source: str, since: datetime, until: datetime | None, tenant_id: str | None) -> Sequence[Pulled]:
        """Hand in what a vendor lists of a span.

        Raises:
            PullUsageError: there is no such source, or nobody's account of it may be asked.
        """
        if source not in VENDORS:
            message = f"no back-fill of {source!r}; there is one of {', '.join(VENDORS)}"
            raise PullUsageError(message)
        if until is not None and until <= since:
            message = f"the span ends at {until.isoformat()}, before it begins at {since.isoformat()}"
            raise PullUsageError(message)
        accounts = self._accounts.connected(source, self.clock.now(), tenant_id)
        if not accounts:
            raise PullUsageError(nobody(source, tenant_id))
        return [pulled for account in accounts for pulled in self._back_fill(account, since, until)]

    @property
    def _accounts(self) -> Accounts:
        return Accounts(self.state, self.vault)

    def _guarded(self, mailbox: Mailbox, resource: str, work: _Work) -> Pulled:
        """Run the work alone on its account; what goes wrong with it is told in the answer."""
        told = (mailbox.tenant_id, mailbox.connection_id, "gmail", resource)
        try:
            accounts = self._accounts.connected("gmail", self.clock.now(), mailbox.tenant_id)
            account = next((each for each in accounts if each.connection_id == mailbox.connection_id), None)
            if account is None:
                raise PullUsageError(nobody("gmail", mailbox.tenant_id))
            with self._alone(account):
                return Pulled(*told, "done", *work(account))
        except _BusyError:
            return Pulled(*told, "busy")
        except (PullError, PullUsageError) as error:
            return Pulled(*told, "failed", error=str(error))

    def _poll(self, account: Account) -> Fetched:
        cursor = Cursor(self.state, self.clock, account, _HISTORY)
        if not self.is_dry:
            cursor.try_()
        place = cursor.read(Place)  # type: ignore[arg-type]  # msgspec takes a union where mypy wants a class
        pages = read_on(self._gmail(account), place, lambda: self._listed_from(account))
        return self._take(account, f"{account.name}: mails", pages, cursor.write)

    def _watch(self, account: Account) -> Fetched:
        if account.topic is None:
            message = f"{account.name}: it has no watch_topic in the tenants file"
            raise PullUsageError(message)
        if not self.is_dry:
            ends_at = self._gmail(account).watch(account.topic)
            Cursor(self.state, self.clock, account, _WATCH).write(_Watch(ends_at))
        return Fetched()

    def _back_fill(self, account: Account, since: datetime, until: datetime | None) -> Iterator[Pulled]:
        told = (account.tenant_id, account.connection_id, account.source)
        vendor = VENDORS[account.source]
        base_url = {"razorpay": self.settings.razorpay_url, "calendly": self.settings.calendly_url}[account.source]
        try:
            api = self._api(account, base_url, vendor.needs, vendor.authorization(account))
            with self._alone(account):
                found, end = resources(self.state, self.clock, account, (since, until), is_dry=self.is_dry)
                for each in found:
                    yield self._resource(api, account, each, since, end)
        except _BusyError:
            yield Pulled(*told, "", "busy")

    def _resource(self, api: Api, account: Account, resource: Resource, since: datetime, until: datetime | None) -> Pulled:
        told = (account.tenant_id, account.connection_id, account.source, resource.name)
        if resource.is_done:
            return Pulled(*told, "done")
        try:
            pages = resource.pages(api, account, since, until)
            fetched = self._take(account, f"{account.name}: {resource.name}", pages, lambda cursor: resource.move(cursor, until))
        except (PullError, PullUsageError) as error:
            return Pulled(*told, "failed", error=str(error))
        if not self.is_dry:
            resource.end(until)
        return Pulled(*told, "done", *fetched)

    def _take(self, account: Account, name: str, pages: Iterator[Page[C]], move: Callable[[C], None]) -> Fetched:
        shown = self.progress.over(name, pages)
        if self.is_dry:
            seen = [(page.items, len(page.bodies)) for page in shown]
            return Fetched(len(seen), sum(items for items, _ in seen), sum(bodies for _, bodies in seen))
        return hand_in(shown, account, self.settings.inbox, self.clock, move)

    def _gmail(self, account: Account) -> Gmail:
        tokens = self._api(account, self.settings.google_token_url, SCOPE, Fixed(""))
        token = GoogleToken(account.credential, account.account_id, tokens, self.clock.now)
        return Gmail(self._api(account, self.settings.gmail_url, SCOPE, token), account.account_id)

    def _listed_from(self, account: Account) -> datetime:
        return max(account.valid_from, self.clock.now() - timedelta(days=self.settings.gmail_sync_days))

    def _api(self, account: Account, base_url: str, needs: str, authorization: Authorization) -> Api:
        bucket = self._buckets.setdefault((base_url, account.name), Bucket(self.settings.pull_per_second, BURST, self.passage))
        tries = Tries(self.settings.pull_seconds)
        return Api(self.client, account.name, base_url, needs, authorization, bucket, tries, self.passage)

    @contextmanager
    def _alone(self, account: Account) -> Iterator[None]:
        with alone(self.state, account) as is_alone:
            if not is_alone:
                raise _BusyError
            yield


def nobody(source: str, tenant_id: str | None) -> str:
    """Why nothing can be asked."""
    whose = f"tenant {tenant_id} has" if tenant_id else "no tenant has"
    none = "no " if tenant_id else "a "
    wanted = f"{source} connection with an access_token that is valid now"
    return f"{whose} {none}{wanted}: add one to the tenants file, then run `flexoraa tenant apply`"
