"""Measuring and fitting, outside the running system."""
