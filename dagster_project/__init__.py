"""When, and what happened: raw, models, syncs and sends as one graph of assets. Thin; what is true and what leaves is decided elsewhere."""
