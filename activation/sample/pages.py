"""The site's pages, each a path with a title in Chinese and English, sorted by kind; `SITE` is the address before the path."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

import numpy as np

from activation.sample.names import words
from activation.sample.products import CATEGORIES, PRODUCTS

SITE = "https://www.qinghe.example"


class Page(NamedTuple):
    """`search` is the query part with its question mark or empty; `subject` is what the page's track event names."""

    kind: str
    path: str
    chinese: str
    english: str
    search: str = ""
    subject: str = ""


# Kind: the name in page messages.
KINDS = {
    "home": "Home",
    "listing": "Category",
    "product": "Product",
    "pricing": "Pricing",
    "business": "Business",
    "resource": "Resource",
    "video": "Video",
    "article": "Article",
    "search": "Search",
    "careers": "Careers",
    "about": "About",
    "contact": "Contact",
    "demo": "Demo",
    "newsletter": "Newsletter",
    "webinar": "Webinar",
    "member": "Member Card",
    "signup": "Sign Up",
    "cart": "Cart",
    "checkout": "Checkout",
    "thanks": "Order Confirmed",
}
_CHINESE_KEYWORDS = words(
    "白色连衣裙 连衣裙 亚麻衬衫 咖啡机 办公室咖啡机 咖啡豆 升降桌 人体工学椅 工位 会议桌 员工制服 台灯 发票 企业采购 退货"
)
_ENGLISH_KEYWORDS = (
    "white dress",
    "linen shirt",
    "espresso machine",
    "office coffee",
    "standing desk",
    "ergonomic chair",
    "uniforms",
    "desk lamp",
    "invoice",
    "returns",
)
KEYWORDS = _CHINESE_KEYWORDS + _ENGLISH_KEYWORDS
# How many of them are Chinese; they come first.
CHINESE_KEYWORDS = len(_CHINESE_KEYWORDS)

PAGES: tuple[Page, ...] = (
    Page("home", "/", "清禾生活 - 家与办公", "Qinghe Living - Home and Office"),
    *(Page("listing", f"/c/{slug}", f"{chinese} - 清禾生活", f"{english} - Qinghe Living") for slug, chinese, english in CATEGORIES),
    *(
        Page("product", f"/products/{p.slug}", f"{p.chinese} - 清禾生活", f"{p.english} - Qinghe Living", subject=p.product_id)
        for p in PRODUCTS
    ),
    Page("pricing", "/pricing", "企业方案价格", "Pricing for Business", subject="overview"),
    Page("pricing", "/pricing/studio", "工作室方案价格", "Studio Plan Pricing", subject="studio"),
    Page("pricing", "/pricing/campus", "园区方案价格", "Campus Plan Pricing", subject="campus"),
    Page("business", "/business", "企业服务", "For Business"),
    Page("business", "/business/office-fitout", "办公空间整体方案", "Office Fit-out"),
    Page("business", "/business/coffee-corner", "企业咖啡角方案", "Coffee Corner for Offices"),
    Page("business", "/business/uniforms", "企业制服定制", "Company Uniforms"),
    Page("business", "/business/cases", "客户案例", "Customer Stories"),
    Page("resource", "/resources/office-fitout-guide", "办公空间采购指南", "Office Fit-out Buying Guide", subject="office-fitout-guide"),
    Page("resource", "/resources/coffee-corner-costs", "咖啡角成本测算表", "Coffee Corner Cost Sheet", subject="coffee-corner-costs"),
    Page("resource", "/resources/ergonomics-checklist", "人体工学检查表", "Ergonomics Checklist", subject="ergonomics-checklist"),
    Page("resource", "/resources/uniform-size-chart", "制服尺码表", "Uniform Size Chart", subject="uniform-size-chart"),
    Page("video", "/videos/how-we-fit-out", "三十天完成办公室改造", "An Office in Thirty Days", subject="how-we-fit-out"),
    Page("video", "/videos/espresso-basics", "意式咖啡入门", "Espresso Basics", subject="espresso-basics"),
    Page("video", "/videos/linen-story", "一件亚麻连衣裙的故事", "The Story of a Linen Dress", subject="linen-story"),
    Page("article", "/journal/hybrid-office", "混合办公需要怎样的空间", "What a Hybrid Office Needs"),
    Page("article", "/journal/coffee-and-meetings", "咖啡与会议效率", "Coffee and Better Meetings"),
    Page("article", "/journal/autumn-dresses", "秋季连衣裙穿搭", "Autumn Dresses, Five Ways"),
    Page("article", "/journal/sit-well", "坐得更好：人体工学椅选购", "Sit Well: Choosing an Ergonomic Chair"),
    Page("article", "/journal/light-at-work", "办公照明的五个误区", "Five Myths about Office Lighting"),
    *(Page("search", "/search", f"搜索 {word}", f"Search {word}", search=f"?q={quote(word)}", subject=word) for word in KEYWORDS),
    Page("careers", "/careers", "加入我们 招聘", "Careers at Qinghe"),
    Page("about", "/about", "关于清禾", "About Qinghe"),
    Page("contact", "/contact", "联系销售", "Contact Sales"),
    Page("demo", "/demo", "预约空间设计演示", "Book a Design Demo"),
    Page("newsletter", "/newsletter", "订阅清禾周刊", "Subscribe to the Weekly Letter"),
    Page("webinar", "/webinars", "线上研讨会", "Webinars"),
    Page("member", "/member-card", "会员卡领取", "Get Your Member Card"),
    Page("signup", "/account/signup", "注册账户", "Create an Account"),
    Page("cart", "/cart", "购物车", "Cart"),
    Page("checkout", "/checkout", "结算", "Checkout"),
    Page("thanks", "/checkout/thanks", "订单已确认", "Order Confirmed"),
)

FIRST: dict[str, int] = {}
COUNT: dict[str, int] = {}
for _number, _page in enumerate(PAGES):
    FIRST.setdefault(_page.kind, _number)
    COUNT[_page.kind] = COUNT.get(_page.kind, 0) + 1

# What a visitor looks at next, by who they are. The order of the kinds is WANDER's.
WANDER = ("home", "listing", "product", "pricing", "business", "resource", "video", "article", "search", "careers", "about", "contact")
WANDER_WEIGHTS = np.array(
    [
        # for themselves; the same close to a purchase; for a company; the same close to a purchase
        [14, 20, 36, 0.5, 1, 0.5, 4, 9, 9, 1.5, 2, 0.5],
        [8, 16, 52, 0.5, 0.5, 0.5, 4, 5, 11, 0.5, 1, 0.5],
        [13, 11, 18, 8, 13, 8, 4, 12, 6, 2.5, 3, 1.5],
        [6, 9, 20, 20, 17, 12, 3, 5, 5, 0.2, 1, 2],
    ]
)
