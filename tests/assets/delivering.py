"""What tests of deliveries do to a scene: other limits and destinations, published rows besides, requests without a decision.

Here belong those steps. Not here: the scene itself (`tests.orchestration.effects`).
"""

from core.actions import Action
from orchestration.resources.tenants import apply_file
from tests.orchestration.effects import FAST, NOW, SECRETS, Scene, tenants_file

SYSTEM = "      - { id: system, kind: callback, url: URL/callback/system, secret: { env: HOOK }, valid_from: 2026-01-01T00:00:00Z }\n"
PEOPLE = "      - { id: people, kind: alerts, url: URL/hook/people, valid_from: 2026-01-01T00:00:00Z }\n"


def configure(scene: Scene, rates: str = FAST, more: str = "", destinations: str = "") -> None:
    """The tenants file anew."""
    path = tenants_file(scene.folder, scene.tenant, scene.receiver.url, rates, more, destinations.replace("URL", scene.receiver.url))
    apply_file(path, scene.state, scene.vault, NOW, SECRETS)


def limit(scene: Scene, **limits: object) -> None:
    """Limits of the tenant."""
    path = scene.folder / f"{scene.tenant}.yaml"
    lines = "".join(f"\n        {name}: {value}" for name, value in limits.items())
    path.write_text(path.read_text().replace("        contact_gap_seconds: 0", f"        contact_gap_seconds: 0{lines}"))
    apply_file(path, scene.state, scene.vault, NOW, SECRETS)


def serve(scene: Scene, mart: str, *rows: tuple[object, ...]) -> None:
    """Rows of a published mart besides, and a publication that tells of them."""
    with scene.state.begin() as connection:
        for row in rows:
            connection.exec_driver_sql(f"insert into serving.{mart} values ({', '.join(['%s'] * len(row))})", row)
        connection.exec_driver_sql("insert into ops.publications (as_of, published_at, tables) values (now(), now(), '{}')")


def ask_for(scene: Scene, *actions: Action) -> None:
    scene.publish(actions)
    scene.outbox.add(actions, scene.now)


def reason(scene: Scene) -> tuple[str, str, str | None]:
    [row] = scene.rows("state, reason, release")
    return row  # type: ignore[return-value]
