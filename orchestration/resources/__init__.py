"""Adapters of `core.ports`: everything that touches a disk, a database or the network."""
