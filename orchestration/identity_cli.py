"""`flexoraa identity …`: its commands and how their answers are printed.

Here belongs reading the command line. Not here: any work (`identity_command`).
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli_options import Home, Json, moment, print_json
from orchestration.resources.settings import Settings

identity_app = typer.Typer(help="Which contact points are one lead: suggestions, decisions and their reasons.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The moment to speak of (ISO 8601 with offset); else now.")]
By = Annotated[str, typer.Option("--by", help="Who decides: the id of one of the tenant's people, no viewer.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later; kept sealed under the keys of those it speaks of.")]
_ONLY_JSON = {"one_id", "other_id"}
"""Columns that a terminal would cut ids for."""
_NEXT = "Counts from the next `flexoraa run` on."


@identity_app.command(epilog="Example: flexoraa identity suggest --tenant asha_homes")
def suggest(tenant: Tenant = None, as_of: AsOf = None, home: Home = None, json: Json = False) -> None:
    """List pairs of leads that may be one person, best first, with the evidence and no name."""
    from orchestration.identity_command import open_desk

    with open_desk(Settings.load(home), _as_of(as_of)) as desk:
        rows = [
            {
                "suggestion": each.link_id,
                "tenant_id": each.tenant_id,
                "score": each.score,
                "evidence": ",".join(each.evidence),
                "lead_id": each.lead_id,
                "other_lead_id": each.other_lead_id,
            }
            for each in desk.suggestions(tenant)
        ]
    _print(rows, is_json=json, empty="nothing to suggest")


@identity_app.command(epilog='Example: flexoraa identity accept link_5f2c --by meera --reason "she told us on the phone"')
def accept(
    ids: Annotated[list[str], typer.Argument(help="A suggestion or revoked link; or two points or leads. Ids may be shortened.")],
    by: By,
    reason: Reason,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Make two leads one."""
    if len(ids) > 2:
        raise typer.BadParameter(f"one suggestion or link, or two points or leads, not {len(ids)} ids")
    _decide("accept", ids, (by, reason), as_of, home, is_json=json)


@identity_app.command(epilog='Example: flexoraa identity revoke link_5f2c --by meera --reason "mother and daughter"')
def revoke(
    link: Annotated[str, typer.Argument(help="A link, whether a person or evidence made it; may be shortened.")],
    by: By,
    reason: Reason,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Take back a link, for good: every mart becomes what it would have been without it."""
    _decide("revoke", [link], (by, reason), as_of, home, is_json=json)


@identity_app.command(epilog='Example: flexoraa identity dismiss link_5f2c --by meera --reason "two people of one name"')
def dismiss(
    suggestion: Annotated[str, typer.Argument(help="A suggestion; may be shortened.")],
    by: By,
    reason: Reason,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Drop a suggestion; strong evidence may still join the two."""
    _decide("dismiss", [suggestion], (by, reason), as_of, home, is_json=json)


@identity_app.command("list", epilog="Example: flexoraa identity list --tenant asha_homes --all")
def list_links(
    tenant: Tenant = None,
    all_links: Annotated[bool, typer.Option("--all", help="Also what evidence joined and nobody decided on.")] = False,
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List links with their evidence and every decision on them: who, when and why."""
    from orchestration.identity_command import open_desk
    from orchestration.identity_rows import decision_rows, link_rows

    with open_desk(Settings.load(home), _as_of(as_of)) as desk:
        rows = decision_rows(desk.records(tenant))
        joined = [each for each in link_rows(desk.resolution.links) if tenant in {None, each["tenant_id"]}]
    if json:
        print_json({"decisions": rows} | ({"links": joined} if all_links else {}))
        return
    _print(rows, is_json=False, empty="nobody has decided anything")
    if all_links:
        _print(joined, is_json=False, empty="no evidence joins any points")


@identity_app.command(epilog="Example: flexoraa identity show lead_3kq7 --json")
def show(
    lead: Annotated[str, typer.Argument(help="A lead's id, an old id of it, or one of its points; may be shortened.")],
    as_of: AsOf = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """Show a lead: its points, its old ids, the links that made it one, and what people decided."""
    from orchestration.identity_command import open_desk
    from orchestration.identity_rows import lead_rows

    with open_desk(Settings.load(home), _as_of(as_of)) as desk:
        answer = lead_rows(desk, lead)
    if json:
        print_json(answer)
        return
    typer.echo(f"{answer['lead_id']} of {answer['tenant_id']}; old ids: {', '.join(answer['aliases']) or 'none'}")
    for name in ("points", "links", "decisions"):
        _print(answer[name], is_json=False, empty=f"no {name}")


def _decide(command: str, ids: Sequence[str], who: tuple[str, str], as_of: str | None, home: Path | None, *, is_json: bool) -> None:
    from orchestration.identity_command import Who, open_desk

    with open_desk(Settings.load(home), _as_of(as_of), is_deciding=True) as desk:
        if command == "accept":
            answer = desk.accept(ids, Who(*who))
        else:
            answer = (desk.revoke if command == "revoke" else desk.dismiss)(ids[0], Who(*who))
    if is_json:
        print_json(answer)
        return
    leads = " and ".join(answer["leads"])
    outcome = f"{leads} {'is one lead' if len(answer['leads']) == 1 else 'are two leads'}"
    still = f", still joined by {', '.join(answer['still_joined_by'])}" if "still_joined_by" in answer else ""
    typer.echo(f"{answer['link_id']} {answer['verdict']}: {outcome}{still}. {_NEXT}")


def _as_of(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def _print(rows: list[dict[str, Any]], *, is_json: bool, empty: str) -> None:
    if not rows and not is_json:
        typer.echo(empty)
        return
    import pyarrow as pa

    from orchestration.tables import print_table

    shown = rows if is_json else [{name: value for name, value in row.items() if name not in _ONLY_JSON} for row in rows]
    print_table(pa.Table.from_pylist(shown), "json" if is_json else "table")
