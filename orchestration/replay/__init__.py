"""Real data sets as webhook traffic: signed segments, and the tenants file that registers who receives them.

Here belongs the list of data sets. A new one is a module with a reader that gives dialogues. Not here: reading any of them
(the sibling modules), turning dialogues into webhooks (`traffic`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from orchestration.replay import persuasion_for_good
from orchestration.replay.dialogues import Dialogue, ReplayError
from orchestration.replay.traffic import Summary, write
from orchestration.resources.settings import Settings

READERS: Mapping[str, Callable[[Path], list[Dialogue]]] = {"persuasion_for_good": persuasion_for_good.read}
"""By name: what reads the folder of a data set."""


def replay(name: str, folder: Path, inbox: Path, out_tenants: Path) -> Summary:
    """Write a data set as closed segments into `inbox`.

    Args:
        name: one of `READERS`; also the tenant's id.
        folder: the data set's files.
        inbox: where segments go; those of an earlier replay of the same name that still wait there are replaced.
        out_tenants: folder for `tenants.yaml` and its secrets, which are made once and kept, so that a second replay writes
            the same segments and nothing is taken in twice.

    Returns:
        What was written, with the path of the tenants file, which must be applied before the segments are taken in.

    Raises:
        ReplayError: no such data set, or its files are missing or not as they should be.
    """
    if name not in READERS:
        message = f"no data set {name!r}; known: {', '.join(sorted(READERS))}"
        raise ReplayError(message)
    return write(name, READERS[name](folder), inbox, out_tenants)


def replay_into(settings: Settings, name: str, folder: Path) -> str:
    """Replay into an installation: its tenant is applied before its segments appear in the inbox, so that none is turned away.

    Returns:
        A line for the terminal.

    Raises:
        ReplayError: as `replay`.
    """
    own = settings.home / "replay" / name
    settings.make_folders()
    summary = replay(name, folder, own / "segments", own)
    from orchestration.tenant_command import apply_tenants  # here: it loads the adapters

    applied = apply_tenants(settings, summary.tenants_file)
    for path in sorted((own / "segments").iterdir()):
        path.rename(settings.inbox / path.name)
    return (
        f"{applied}\n{name}: {summary.conversations:,} conversations, {summary.messages:,} messages and {summary.payments:,} "
        f"payments in {summary.segments} segments, {summary.first_at:%Y-%m-%d} to {summary.last_at:%Y-%m-%d}; next: flexoraa run"
    )


__all__ = ["READERS", "ReplayError", "Summary", "replay", "replay_into"]
