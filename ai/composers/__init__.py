"""Ways of writing an answer from passages."""
