"""When things run and with what: the Dagster definitions, the adapters of the ports, the commands."""
