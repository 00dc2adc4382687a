"""Backup of an installation to a folder and a file of keys, and its way back; each part says what it is for."""
