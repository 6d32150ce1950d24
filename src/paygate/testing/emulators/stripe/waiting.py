"""What an intent that waits for the customer says, and where they go afterwards; payments and set-ups alike."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from .resource import Object

__all__ = ["came_back", "next_action"]


def next_action(url: str, return_url: str | None) -> Object:
    """What the customer has to do: open *url*, here as for a browser, or by Stripe's own script without *return_url*."""
    if return_url is not None:
        return {"redirect_to_url": {"return_url": return_url, "url": url}, "type": "redirect_to_url"}
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": url, "type": "three_d_secure_redirect"}}


def came_back(return_url: str | None, kind: str, identifier: str, secret: str, *, succeeded: bool) -> str | None:
    """*return_url* with the intent and how it went in its query, as the customer's browser asks for it."""
    if return_url is None:
        return None
    parts = urlsplit(return_url)
    result = "succeeded" if succeeded else "failed"
    added = {kind: identifier, f"{kind}_client_secret": secret, "redirect_status": result}
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))
