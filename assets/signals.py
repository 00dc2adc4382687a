"""Message signals: what each message says, read once when its file of the lake is new.

Here belongs the order: decrypt, read, keep; the text is in memory for the length of a batch, and nothing of it is logged. Not here: what
text means (`ml.signals`), who reads it (`core.signals.SignalReader`), files, the mart (`fct_message_signals`).
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from core.ports import Progress, Vault
from core.reference import Tenant
from core.sealing import unseal
from core.signals import OFF, FittedModels, Heard, MessageSignal, Sealed, SignalReader, Signals, Spoken

_OWNERS = ["team:data"]
BATCH = 1_000
"""Messages in memory at once. From 200 on a batch is read as quickly as any larger one."""


_MODELS = dg.AssetKey(["models", "signals"])


@dg.asset(key=_MODELS, group_name="reference", kinds={"scikitlearn"}, owners=_OWNERS)
def signal_models(
    signal_models: dg.ResourceParam[FittedModels], signal_reader: dg.ResourceParam[SignalReader], run_lock: dg.ResourceParam[None]
) -> dg.MaterializeResult[None]:
    """Models of intent, objection, buying signal, risk and persuasion principle, fitted from the shipped tables where they are not yet."""
    if signal_reader.version == OFF:
        return dg.MaterializeResult(metadata={"version": OFF})
    path = signal_models.ensure()
    return dg.MaterializeResult(metadata={"version": signal_reader.version, "file": path.name, "bytes": path.stat().st_size})


@dg.asset(
    key=dg.AssetKey(["reference", "message_signals"]),
    deps=[_MODELS, dg.AssetKey(["lake", "messages"]), dg.AssetKey(["reference", "tenants"])],
    group_name="reference",
    kinds={"parquet", "scikitlearn"},
    owners=_OWNERS,
)
def message_signals(
    context: dg.AssetExecutionContext,
    signals: dg.ResourceParam[Signals],
    signal_reader: dg.ResourceParam[SignalReader],
    vault: dg.ResourceParam[Vault],
    progress: dg.ResourceParam[Progress],
    run_lock: dg.ResourceParam[None],
) -> dg.MaterializeResult[None]:
    """Language, intent, budget, timeline, objection, buying signal, risk and persuasion principle of every message with text."""
    read, erased = read_pending(signals, signal_reader, vault, progress)
    troubles = dict(signal_reader.troubles())
    if troubles:
        context.log.warning("messages that the external reader did not read, and the shipped models did: %s", troubles)
    return dg.MaterializeResult(
        metadata={
            "messages_read": read,
            "messages_of_erased_people": erased,
            "version": signal_reader.version,
            "not_read_outside": troubles,
        }
    )


def read_pending(signals: Signals, reader: SignalReader, vault: Vault, progress: Progress) -> tuple[int, int]:
    """Read what is new, a batch at a time; returns how many messages were read, and how many cannot be any more."""
    pending = signals.pending(reader.version)
    tenants = signals.tenants() if pending else {}
    read = erased = 0
    for name in progress.over("message signals", pending, len(pending)):
        with signals.writing(name) as write:
            for batch in signals.unread(name, BATCH):
                opened, gone = _opened(batch, tenants, vault)
                heard = reader.read([spoken for _, spoken in opened])
                write([_row(sealed, said, reader.version) for (sealed, _), said in zip(opened, heard, strict=True)])
                read, erased = read + len(opened), erased + gone
    signals.settle()
    return read, erased


def _opened(batch: Sequence[Sealed], tenants: Mapping[str, Tenant], vault: Vault) -> tuple[list[tuple[Sealed, Spoken]], int]:
    """Messages in the clear, without those whose key is gone."""
    points: dict[str, set[str]] = {}
    for each in batch:
        points.setdefault(each.tenant_id, set()).add(each.contact_point_id)
    keys = {tenant: vault.keys(tenant, ids) for tenant, ids in points.items()}
    opened = []
    for each in batch:
        key = keys[each.tenant_id].get(each.contact_point_id)
        tenant = tenants.get(each.tenant_id)
        if key is None or tenant is None:
            continue
        text = unseal(key, each.text_enc, f"{each.event_id}:text_enc".encode()).decode()
        is_inbound = each.direction == "inbound"
        spoken = Spoken(each.tenant_id, text, each.occurred_at, is_inbound, tenant.timezone, tenant.currency, tenant.default_region)
        opened.append((each, spoken))
    return opened, len(batch) - len(opened)


def _row(sealed: Sealed, heard: Heard, version: str) -> MessageSignal:
    said = {name: getattr(heard, name) for name in Heard.__struct_fields__}
    told = {name: getattr(sealed, name) for name in Sealed._fields if name != "text_enc"}
    return MessageSignal(version=version, **told, **said)
