"""The same meaning over tensors [batch, query, key]."""
