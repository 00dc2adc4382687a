"""Who is connected: Meta's verification, the list to copy from, and changes while the collector runs."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

from orchestration.collector.connections import verify_token
from orchestration.resources.tenants import apply_file
from tests.orchestration.collecting import AT, ROOT, Home, Process, Sender, collecting, opened_home


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with opened_home() as opened:
        yield opened


@pytest.fixture(scope="module")
def collector(home: Home) -> Iterator[Process]:
    with collecting(home) as process:
        yield process


@pytest.fixture
def sender(home: Home) -> Sender:
    return home.senders[0]


def test_metas_challenge_is_answered_to_whoever_knows_the_verify_token(home: Home, collector: Process, sender: Sender) -> None:
    def ask(source: str = "whatsapp", **query: str) -> httpx.Response:
        asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": verify_token(sender.app_secret)}
        return httpx.get(f"{collector.url}/hooks/{source}", params=asked | {f"hub.{name}": value for name, value in query.items()})

    assert (ask().status_code, ask().text) == (200, "1158201444")
    assert ask().headers["content-type"].startswith("text/plain")
    assert ask(verify_token=verify_token(home.senders[1].app_secret)).status_code == 200
    for wrong in (verify_token(b"x"), "", sender.app_secret.decode(), "ü", verify_token(sender.secret)):
        assert ask(verify_token=wrong).status_code == 403
    assert ask(source="messenger").status_code == 403  # no tenant is connected there
    for query in ({"mode": "unsubscribe"}, {"challenge": ""}, {"challenge": "<script>"}, {"challenge": "1" * 257}):
        assert ask(**query).status_code == 400


def test_a_tenant_applied_while_it_runs_is_let_in_and_a_rotated_secret_counts(home: Home, collector: Process, sender: Sender) -> None:
    traffic = home.folder / "traffic"
    name = f"{sender.tenant_id}_platform"
    old, new = (traffic / "secrets" / name).read_text(), "a new secret"
    changed = Sender(sender.tenant_id, sender.account_id, new.encode(), sender.number, b"")

    def rotate(secret: str) -> None:
        (traffic / "secrets" / name).write_text(secret)
        apply_file(traffic / "tenants.yaml", home.platform.state, home.platform.vault, AT, {})

    def waited_for(who: Sender) -> bool:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if collector.post(who, who.report("r1")).status_code == 200:
                return True
            time.sleep(0.1)
        return False

    assert collector.post(changed, changed.report("r1")).status_code == 401
    rotate(new)
    assert waited_for(changed)
    assert collector.post(sender, sender.report("r1")).status_code == 401
    rotate(old)
    assert waited_for(sender)


def test_the_list_says_where_each_vendor_is_to_send_and_which_token_to_enter(home: Home, sender: Sender) -> None:
    command = [sys.executable, "-m", "orchestration.cli", "tenant", "hooks", "--format", "json", "--home", str(home.platform.settings.home)]
    rows = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert {row["tenant_id"] for row in rows} == {each.tenant_id for each in home.senders}
    mine = {(row["source"], row["account_id"]): row for row in rows if row["tenant_id"] == sender.tenant_id}
    number = mine["whatsapp", sender.number]
    assert (number["path"], number["verify_token"]) == ("/hooks/whatsapp", verify_token(sender.app_secret))
    feed = mine["platform", sender.account_id]
    assert (feed["path"], feed["verify_token"]) == ("/hooks/platform", "")
    assert sender.app_secret.decode() not in json.dumps(rows)
