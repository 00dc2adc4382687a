"""The collector: webhooks over HTTP into segments of the inbox; each is answered 200 only once it is on disk.

Here belongs all that listens: who is let in (`door`), fair waiting (`fair`), groups that share one fsync (`commit`), files (`segments`),
who is connected (`connections`), what is counted (`metrics`), the ASGI application (`app`) and its server (`server`). Not here: what a
webhook says, which is read later, from the closed segments (`assets.intake`).
"""
