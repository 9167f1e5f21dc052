"""What a program means, token pair by token pair: slow, obvious, the definition."""
