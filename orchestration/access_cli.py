"""`flexoraa role …` and `flexoraa conversation …`: who may see what, and reading what somebody wrote.

Here belongs reading the command line. Not here: any work (`orchestration.resources.access`, `conversation_command`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli_options import Home, Json, print_json, refuse_unknown
from orchestration.resources.settings import Settings

if TYPE_CHECKING:
    from orchestration.resources.access import Access

role_app = typer.Typer(help="Database logins that may read a tenant's rows: viewer, operator, manager, admin.", no_args_is_help=True)
conversation_app = typer.Typer(help="What was said, for those who may read it.", no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="A login of the database.")]
Role = Annotated[str, typer.Argument(help="viewer, operator, manager or admin; each sees what the one before it sees.")]
Tenant = Annotated[str, typer.Option("--tenant", help="Of which tenant.")]


@role_app.command(epilog="Example: flexoraa role grant bi_reader viewer --tenant asha_homes --create")
def grant(
    login: Login,
    role: Role,
    tenant: Tenant,
    create: Annotated[bool, typer.Option("--create", help="Make the login if there is none, without a password.")] = False,
    home: Home = None,
) -> None:
    """Let a login read what a role sees of a tenant."""
    with _access(home) as access:
        access.grant(login, role, tenant, is_made=create)
    typer.echo(f"{login} is {role} of {tenant}")


@role_app.command(epilog="Example: flexoraa role revoke bi_reader viewer --tenant asha_homes")
def revoke(login: Login, role: Role, tenant: Tenant, home: Home = None) -> None:
    """Take a role back."""
    with _access(home) as access:
        access.revoke(login, role, tenant)
    typer.echo(f"{login} is {role} of {tenant} no more")


@role_app.command("list", epilog="Example: flexoraa role list --tenant asha_homes")
def list_roles(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; else all.")] = None,
    home: Home = None,
    json: Json = False,
) -> None:
    """List who holds which role."""
    with _access(home) as access:
        rows = [each._asdict() for each in access.held(tenant)]
        refuse_unknown(home, tenant, rows)
    _print(rows, "nobody holds a role", is_json=json, name="roles")


@conversation_app.command(epilog="Example: flexoraa conversation show CONVERSATION --by meera")
def show(
    conversation: Annotated[str, typer.Argument(help="Its id in marts.fct_conversations.")],
    by: Annotated[str, typer.Option("--by", help="Who reads: the id of an operator, manager or admin of the tenant.")],
    home: Home = None,
    json: Json = False,
) -> None:
    """Show the words of a conversation; who read it, and who was refused, is in the audit log."""
    from orchestration.conversation_command import shown

    told = shown(Settings.load(home), conversation, by)
    if json:
        print_json(told)
    else:
        rows = [{name: each[name] for name in ("sent_at", "author_type", "text", "status")} for each in told["messages"]]
        _print(rows, "no message", is_json=False, name="messages")


@contextmanager
def _access(home: Path | None) -> "Iterator[Access]":
    from orchestration.resources.access import Access
    from orchestration.resources.state import open_state
    from orchestration.resources.vault import Vault

    settings = Settings.load(home)
    with open_state(settings) as state:
        yield Access(state, Vault(state, settings.master_key()))


def _print(rows: list[dict[str, Any]], empty: str, *, is_json: bool, name: str) -> None:
    if is_json:
        print_json({name: rows})
    elif not rows:
        typer.echo(empty)
    else:
        import pyarrow as pa

        from orchestration.tables import print_table

        print_table(pa.Table.from_pylist(rows), "table")
