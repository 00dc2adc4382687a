"""Who is connected: Meta's verification, the list to copy from, and changes while the collector runs."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread

import httpx
import pytest
import yaml

from orchestration.collector.connections import verify_token
from orchestration.resources.tenants import apply_file
from tests.orchestration.collecting import AT, ROOT, Home, Process, Sender, collecting, opened_home
from tests.orchestration.test_google_keys import Issuer, Signer


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


def test_gmails_pushes_come_in_with_googles_token_also_after_google_changed_its_keys() -> None:
    with opened_home(1) as home:
        push_and_change_keys(home)


def push_and_change_keys(home: Home) -> None:
    traffic, settings = home.folder / "traffic", home.platform.settings
    (traffic / "secrets" / "trust").write_text(json.dumps({"audience": "https://hooks.example", "email": "push@x.iam.gserviceaccount.com"}))
    (traffic / "secrets" / "trust").chmod(0o600)
    tenants = yaml.safe_load((traffic / "tenants.yaml").read_text())
    mailbox = {"id": "mail", "source": "gmail", "account_id": "sales@tenant.example", "verify_secrets": [{"file": "secrets/trust"}]}
    tenants["tenants"][0]["connections"].append(mailbox | {"valid_from": "2024-01-01T00:00:00Z"})
    (traffic / "with_gmail.yaml").write_text(yaml.safe_dump(tenants))
    place = base64.urlsafe_b64encode(b'{"emailAddress": "sales@tenant.example", "historyId": 5}').decode()
    push = json.dumps({"message": {"data": place, "messageId": "1"}, "subscription": "s"}).encode()
    first, second = Signer("k1"), Signer("k2")
    issuer = Issuer()
    issuer.published = {"keys": [first.jwk()]}
    Thread(target=issuer.server.serve_forever, daemon=True).start()
    (settings.home / "settings.env").write_text(f"FLEXORAA_GOOGLE_KEYS_URL={issuer.url}\n")
    try:
        apply_file(traffic / "with_gmail.yaml", home.platform.state, home.platform.vault, AT, {})
        with collecting(home) as collector:

            def status(signer: Signer, at: datetime) -> int:
                headers = {"Authorization": f"Bearer {signer.token(at)}"}
                return httpx.post(f"{collector.url}/hooks/gmail", content=push, headers=headers).status_code

            now = datetime.now(UTC)
            assert [status(first, now), status(second, now), status(first, now - timedelta(hours=2))] == [200, 401, 401]
            issuer.published = {"keys": [second.jwk()]}
            cache = json.loads(settings.google_keys.read_text())
            settings.google_keys.write_text(json.dumps(cache | {"due_at": (now - timedelta(seconds=1)).isoformat()}))  # hours went by
            until = time.monotonic() + 10
            while status(second, now) != 200 and time.monotonic() < until:
                time.sleep(0.1)
            assert [status(second, now), status(first, now)] == [200, 200]
        assert {tuple(line["headers"]) for line in home.lines()} == {("authorization",)}
    finally:
        issuer.server.shutdown()
        issuer.server.server_close()
