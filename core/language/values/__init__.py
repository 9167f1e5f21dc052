"""What expressions come to: single numbers, and tensors over a batch of sentences."""
