"""Inference, against independent second opinions."""
