"""What exists: Dagster assets and checks, thin; they depend on the ports of `core.ports`, never on an adapter."""
