"""The HTTP door: events, webhooks, clicks, opens and unsubscribes. It answers once what came is on disk."""
