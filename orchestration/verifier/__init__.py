"""Verifying an erasure: every byte of every store, searched for every form in which a person may still be there.

Here belongs the search, and nothing of ours is imported (import-linter sees to it): whoever erases must not say what counts as found. It is
told values, folders and addresses, and answers with places. Not here: what is done with the answer (`orchestration.privacy_run`).
"""
