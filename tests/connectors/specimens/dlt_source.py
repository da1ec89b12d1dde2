"""A source that is only pulled from: it has no rows and no callbacks."""

OPTIONS = {"resources": {"books": {"lands_in": "books"}}}
ADDRESS = "http"
EMULATOR = None
WRONG = None
