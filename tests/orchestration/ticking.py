"""One evaluation of a sensor with adapters of a test's own, and what it put in the outbox. Not here: what is due (`effects`)."""

from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from core.actions import Action, key_of
from orchestration.definitions import build_defs
from tests.orchestration.effects import Scene

SENSORS = {each.name: each for each in build_defs().sensors or [] if isinstance(each, dg.SensorDefinition)}


def tick(name: str, cursor: str | None, instance: dg.DagsterInstance, **resources: Any) -> dg.SensorResult:
    """One evaluation with these adapters."""
    wanted = {key: value for key, value in resources.items() if key in SENSORS[name].required_resource_keys}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=wanted) as context:
        result = SENSORS[name](context)
    assert isinstance(result, dg.SensorResult)
    return result


def asked(result: dg.SensorResult) -> int:
    requests = result.run_requests or []
    assert (not requests) == bool(result.skip_reason)
    assert all(each.run_key is None for each in requests)  # a key is remembered for ever
    return len(requests)


def wanted(scene: Scene, rule: str, number: int, due_at: datetime) -> Action:
    action_id = key_of(scene.tenant, rule, str(number))
    return scene.alert(number, rule=rule, action_id=action_id, due_at=due_at, expires_at=due_at + timedelta(days=1))


def known(scene: Scene, rule: str) -> list[str]:
    """Triggers in the outbox."""
    return sorted(trigger for of, trigger in scene.rows("rule, trigger") if of == rule)
