"""Who is asked about jobs and their timing. Nothing else: assets name their owners themselves.

Tags, since Dagster 1.13's own `owners` of jobs, schedules and sensors is beta and warns.
"""

OWNED = {"owner": "data"}
BY_PRODUCT = {"owner": "product"}
