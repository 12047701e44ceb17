"""Observability of CloudOS applications."""
