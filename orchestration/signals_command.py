"""`flexoraa signals`: fitting the shipped models, and reading one message with them.

Here belongs opening what these need and printing. Not here: any work.
"""

import json
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from orchestration.resources.clients import alone
from orchestration.resources.clock import SystemClock
from orchestration.resources.settings import Settings, SettingsError
from orchestration.resources.signal_models import SignalModels
from orchestration.resources.state import open_state
from orchestration.resources.vault import Vault


def train(settings: Settings, *, as_json: bool) -> None:
    """Fit under the run lock, and say what came of it."""
    with open_state(settings) as state, alone(settings.home):
        place = SignalModels(settings.models, Vault(state, settings.master_key()))
        models = place.train()
    told = {
        "version": models.version,
        "file": str(place.path()),
        "bytes": place.path().stat().st_size,
        "risk_threshold": round(models.risk_threshold, 4),
        "risk_found": round(models.risk_found, 4),
        "risk_right": round(models.risk_right, 4),
    }
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    typer.echo(
        f"version {told['version']} in {told['file']}, {models.risk_found:.0%} of risky texts found, {models.risk_right:.0%} of found risky"
    )


def read(settings: Settings, text: str, tenant: tuple[str, str, str], *, is_inbound: bool) -> None:
    """Print the reading of one message at this moment.

    Raises:
        SettingsError: no such time zone.
        ModelFileError: the file of models was changed.
    """
    from ml.signals.reader import Message, read_messages

    try:
        ZoneInfo(tenant[0])
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"--timezone {tenant[0]!r} is none that IANA knows, such as Asia/Kolkata") from error
    with open_state(settings) as state:
        models = SignalModels(settings.models, Vault(state, settings.master_key())).load()
    (found,) = read_messages(models, [Message(text, SystemClock().now(), is_inbound, *tenant)])
    typer.echo(json.dumps({name: value for name, value in found._asdict().items() if value is not None}, indent=2, ensure_ascii=False))
