"""Where visits come from: campaigns with their UTM parameters and referrers, and how often each brings whom."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Entry(NamedTuple):
    """One way to arrive. `chinese` and `western` weigh it among visitors; `platform` is who is paid for a click, if anyone is."""

    channel: str
    referrer: str | None
    source: str | None
    medium: str | None
    campaign: str | None
    term: str | None
    chinese: float
    western: float
    platform: str | None = None
    cost_per_click: float = 0.0


_BAIDU = "https://www.baidu.com/link"
_GOOGLE = "https://www.google.com/"
_BING = "https://www.bing.com/"
_WECHAT = "https://mp.weixin.qq.com/"
_LINKEDIN = "https://www.linkedin.com/"

ENTRIES = (
    Entry("direct", None, None, None, None, None, 26, 30),
    Entry("organic_search", _BAIDU, None, None, None, None, 16, 0),
    Entry("organic_search", _GOOGLE, None, None, None, None, 1, 24),
    Entry("organic_search", _BING, None, None, None, None, 3, 5),
    Entry("paid_search", _BAIDU, "baidu", "cpc", "autumn-dresses", "白色连衣裙", 5, 0, "baidu", 1.8),
    Entry("paid_search", _BAIDU, "baidu", "cpc", "autumn-dresses", "亚麻连衣裙", 2, 0, "baidu", 1.5),
    Entry("paid_search", _BAIDU, "baidu", "cpc", "office-fitout", "办公室装修", 4, 0, "baidu", 6.2),
    Entry("paid_search", _BAIDU, "baidu", "cpc", "office-fitout", "办公家具采购", 3, 0, "baidu", 5.4),
    Entry("paid_search", _GOOGLE, "google", "cpc", "office-fitout-en", "office furniture", 0, 6, "google", 9.5),
    Entry("paid_search", _GOOGLE, "google", "cpc", "office-fitout-en", "office coffee", 0, 4, "google", 7.0),
    Entry("paid_search", _BING, "bing", "cpc", "brand-en", "qinghe living", 0.5, 2, "bing", 2.2),
    Entry("paid_social", _LINKEDIN, "linkedin", "paid_social", "workplace-leaders", None, 0.5, 5, "linkedin", 18.0),
    Entry("paid_social", _WECHAT, "wechat", "paid_social", "coffee-corner-moments", None, 5, 0, "wechat_ads", 2.6),
    Entry("social", _WECHAT, "wechat", "social", "official-account", None, 14, 0.5),
    Entry("social", _LINKEDIN, "linkedin", "social", "company-page", None, 0.5, 4),
    Entry("referral", "https://www.officeguide.example/best-desks", None, None, None, None, 2, 4),
    Entry("referral", "https://partner.yunfan.example/coffee", "yunfan", "referral", "partner-coffee", None, 2, 0.5),
    Entry("sms", None, "sms", "sms", "member-day", None, 2, 0),
    Entry("email", None, "newsletter", "email", "weekly-letter", None, 9, 9),
    Entry("email", None, "promotion", "email", "autumn-offer", None, 4, 4),
)

PAID = np.array([entry.platform is not None for entry in ENTRIES])
BY_EMAIL = np.array([entry.channel == "email" for entry in ENTRIES])
DIRECT = 0
WEIGHTS = np.array([[entry.chinese for entry in ENTRIES], [entry.western for entry in ENTRIES]])
# Who is logged in comes back by habit: straight, by mail and from the chat, hardly through an advertisement.
RETURNING = WEIGHTS * np.array(
    [0.25 if entry.platform else 2.0 if entry.channel in ("direct", "email", "social") else 1.0 for entry in ENTRIES]
)
