"""`make check`'s audit of the locks: pip-audit against a list of advisories in the repository, so that it needs no network.

Here belongs serving the list to pip-audit on loopback, in the shape of OSV's own service, and making the list anew. Not here: locking.

    python requirements/audit.py             every lock; ends with 1 where one holds a version with a known advisory
    python requirements/audit.py refresh     with a network: take over OSV's advisories for what is locked
"""

import json
import re
import subprocess
import sys
import threading
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
ADVISORIES = HERE / "advisories.json"
LOCKS = tuple(HERE / f"{name}.txt" for name in ("bootstrap", "runtime", "dev", "spark"))
EVERYTHING = "https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip"
OLD = timedelta(days=35)


def affecting(advisories: list[dict[str, Any]], name: str, version: str) -> list[dict[str, Any]]:
    """The advisories that speak of this version of a package, by OSV's rules: named versions, and ranges from introduced up to fixed."""
    wanted = Version(version)
    return [each for each in advisories if any(_speaks_of(part, name, version, wanted) for part in each["affected"])]


def _speaks_of(part: dict[str, Any], name: str, version: str, wanted: Version) -> bool:
    if canonicalize_name(part["package"]["name"]) != canonicalize_name(name):
        return False
    spans = [span["events"] for span in part.get("ranges", ()) if span["type"] == "ECOSYSTEM"]
    return version in part.get("versions", ()) or any(_is_within(wanted, events) for events in spans)


def _is_within(version: Version, events: list[dict[str, str]]) -> bool:
    is_affected = False
    for event in sorted(events, key=lambda each: Version(next(iter(each.values())))):
        ((kind, text),) = event.items()
        bound = Version(text)
        if kind == "introduced" and version >= bound:
            is_affected = True
        elif (kind == "fixed" and version >= bound) or (kind == "last_affected" and version > bound):
            is_affected = False
    return is_affected


def audit(locks: tuple[Path, ...], advisories: list[dict[str, Any]]) -> int:
    """Run pip-audit over each lock; its exit code, the worst of all."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"vulns": affecting(advisories, asked["package"]["name"], asked["version"])}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1/query"
    options = ["--vulnerability-service", "osv", "--osv-url", url, "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    try:
        named = [word for lock in locks for word in ("--requirement", str(lock))]
        return subprocess.run([sys.executable, "-m", "pip_audit", *options, *named], check=False).returncode
    finally:
        server.shutdown()
        server.server_close()


def refresh() -> None:
    """Take over what OSV knows of the packages that are locked."""
    locked = {
        canonicalize_name(name) for lock in LOCKS for name in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*])?==", lock.read_text(), re.M)
    }
    with urllib.request.urlopen(EVERYTHING, timeout=300) as answer:
        archive = zipfile.ZipFile(BytesIO(answer.read()))
    found = []
    for name in archive.namelist():
        each = json.loads(archive.read(name))
        affected = [part for part in each.get("affected", ()) if canonicalize_name(part["package"]["name"]) in locked]
        if affected and "withdrawn" not in each:
            kept = {key: each[key] for key in ("id", "aliases", "summary", "published", "schema_version") if key in each}
            found.append(
                kept | {"affected": [{key: part[key] for key in ("package", "ranges", "versions") if key in part} for part in affected]}
            )
    found.sort(key=lambda each: each["id"])
    said = {"taken_at": f"{datetime.now(UTC):%Y-%m-%d}", "source": EVERYTHING, "advisories": found}
    ADVISORIES.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(found)} advisories for {len(locked)} locked packages")


def main() -> int:
    """Run what was asked for."""
    if sys.argv[1:] == ["refresh"]:
        refresh()
        return 0
    known = json.loads(ADVISORIES.read_text(encoding="utf-8"))
    age = datetime.now(UTC) - datetime.fromisoformat(known["taken_at"]).replace(tzinfo=UTC)
    print(f"{len(known['advisories'])} advisories as of {known['taken_at']}, {known['source']}", flush=True)
    if age > OLD:
        print(f"the list is {age.days} days old: run make advisories where there is a network", file=sys.stderr)
    return audit(tuple(Path(each) for each in sys.argv[1:]) or LOCKS, known["advisories"])


if __name__ == "__main__":
    sys.exit(main())
