"""Who is asked about jobs and their timing. Nothing else: assets name their owners themselves."""

OWNED = {"owner": "data"}
"""A tag, since Dagster 1.13's own `owners` of jobs, schedules and sensors is beta and warns."""
