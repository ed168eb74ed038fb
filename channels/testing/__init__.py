"""The conformance kit: what every channel folder must pass, and the scaffold for a new one."""
