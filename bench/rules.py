"""Fifty segments of many kinds, as rules: what was done and not done, how often and in what order, who somebody is, what is known of them."""

from __future__ import annotations

import json
from typing import Any

CATEGORIES = ["dresses", "shirts", "workwear", "coffee", "desks", "chairs", "lighting", "stationery"]


def fifty() -> dict[str, str]:
    """The text of each file, by the segment's name."""
    rules: list[dict[str, Any]] = []
    for number, category in enumerate(CATEGORIES):
        viewed = {"did": "Product Viewed", "where": {"product_category": category}}
        rules += [
            {**viewed, "times": {"at_least": 2 + number % 3}, "within": f"{30 + 10 * number} days"},
            {"all": [{**viewed, "within": "90 days"}, {"did_not": "Order Paid", "within": "90 days"}]},
            {"any": [{"tag": f"interest:{category}"}, {"all": [{"did": "Order Paid"}, {**viewed, "within": f"{7 + number} days"}]}]},
        ]
    for days in (3, 7, 14, 30):
        rules += [
            {"sequence": [{"did": "Product Viewed"}, {"did": "Product Added", "within": f"{days} days"}], "within": "60 days"},
            {"all": [{"score": "engagement", "at_least": days}, {"reachable": "email"}]},
            {"did": "Page Viewed", "times": {"at_least": days}, "within": f"{3 * days} days"},
            {"all": [{"profile": {"last_seen_at": {"in_last": f"{days} days"}}}, {"none": [{"stage": ["customer"]}]}]},
        ]
    rules += [
        {"stage": ["lead", "mql", "sql"]},
        {"grade": ["A*"]},
        {"account": {"employees": {"at_least": 500}}},
        {"colleagues": {"did": "Pricing Viewed", "within": "30 days"}, "at_least": 2},
        {"all": [{"bucket": "spring", "below": 10}, {"reachable": "email", "purpose": "newsletter"}]},
        {"did": "Page Viewed", "occurrence": "first", "within": "30 days"},
        {"all": [{"did": "Message Clicked", "within": "60 days"}, {"did_not": "Product Viewed", "within": "7 days"}]},
        {"profile": {"country": "CN", "orders": {"at_least": 1}}},
        {"all": [{"in_segment": "segment_rule_00"}, {"not_in_segment": "segment_rule_01"}]},
        {"did": "Product Viewed", "times": {"at_least": 2, "same": "product_id"}, "within": "14 days"},
    ]
    assert len(rules) == 50, len(rules)
    files = {}
    for number, rule in enumerate(rules):
        files[f"rule_{number:02}"] = json.dumps({"description": f"Rule number {number} of a benchmark.", "rule": rule})
    return files
