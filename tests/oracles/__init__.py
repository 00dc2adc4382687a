"""Slow, obvious re-implementations of the warehouse's rules, event by event. They share no code with the SQL, nor with core."""
