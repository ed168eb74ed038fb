"""What tests need to exist already: one module per room of the core."""
