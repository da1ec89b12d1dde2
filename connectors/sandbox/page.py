"""The page of the sandbox: what arrived, newest first, with mail drawn in a frame that can neither run scripts nor load anything.

Links in a mail open in a window of their own when they are clicked, so that clicks and unsubscribing can be tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jinja2 import Environment

from connectors.sandbox.emulator import Kept, Shown

NEWEST = 100  # so many are shown
PLAIN = Shown("taken by a vendor that is no longer here")
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

TEMPLATE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox · what arrived</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b7285; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 54rem; padding: 1rem; }
h1 { font-size: 1.3rem; margin: .5rem 0; }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
nav a { border: 1px solid var(--line); border-radius: 999px; color: inherit; padding: .15rem .8rem; text-decoration: none; }
nav a[aria-current] { background: var(--accent); border-color: var(--accent); color: #fff; }
article { border: 1px solid var(--line); border-radius: .6rem; margin: .8rem 0; overflow: hidden; }
header { background: var(--soft); padding: .5rem .8rem; }
header b { overflow-wrap: anywhere; }
header small { display: block; opacity: .75; overflow-wrap: anywhere; }
pre { margin: 0; max-height: 20rem; overflow: auto; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; }
iframe { background: #fff; border: 0; display: block; height: 22rem; width: 100%; }
</style>
</head>
<body>
<h1>Sandbox · what arrived</h1>
<nav aria-label="Vendors">
<a href="/"{% if not vendor %} aria-current="page"{% endif %}>all {{ counts.values() | sum }}</a>
{% for name, count in counts | dictsort %}
<a href="/?vendor={{ name | urlencode }}"{% if vendor == name %} aria-current="page"{% endif %}>{{ name }} {{ count }}</a>
{% endfor %}
</nav>
<main>
{% for kept, shown in messages %}
<article>
<header><b>{{ shown.title }}</b>
<small>{{ kept.vendor }} · to {{ kept.to }} · <time datetime="{{ kept.at.isoformat() }}">{{ kept.at.strftime("%Y-%m-%d %H:%M:%S") }} UTC</time></small></header>
{% if shown.html %}
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer" loading="lazy" title="{{ shown.title }}"
 srcdoc="{{ "<base target=_blank>" }}{{ shown.html }}"></iframe>
{% else %}
<pre>{{ shown.text }}</pre>
{% endif %}
</article>
{% else %}
<p>Nothing has arrived yet. Run a sync or a send, then load this page again.</p>
{% endfor %}
{% if counts.values() | sum > newest %}
<p>The newest {{ newest }} are shown. All of it: <a href="/_sandbox/messages">/_sandbox/messages</a></p>
{% endif %}
</main>
</body>
</html>
""")


def render(messages: Sequence[tuple[Kept, Shown]], counts: Mapping[str, int], vendor: str) -> str:
    return TEMPLATE.render(messages=messages, counts=counts, vendor=vendor, newest=NEWEST)
