"""How fast, how small: each figure of speed is a ratio to a bare component measured in the same run."""
