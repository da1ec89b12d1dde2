"""The catalogue of the shop that the sample is about: a store for homes and offices, eight categories of five products."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Product(NamedTuple):
    """One product; `price` is in yuan."""

    product_id: str
    category: str
    slug: str
    chinese: str
    english: str
    price: int

    @property
    def dollars(self) -> int:
        """The price abroad, in US dollars."""
        return max(1, round(self.price / 7))


# Category: slug, Chinese, English.
CATEGORIES = (
    ("dresses", "连衣裙", "Dresses"),
    ("shirts", "衬衫", "Shirts"),
    ("workwear", "工装制服", "Workwear"),
    ("coffee", "咖啡", "Coffee"),
    ("desks", "办公桌", "Desks"),
    ("chairs", "办公椅", "Chairs"),
    ("lighting", "灯具", "Lighting"),
    ("stationery", "文具", "Stationery"),
)

_ROWS = (
    ("white-linen-dress", "白色亚麻连衣裙", "White Linen Dress", 499),
    ("black-evening-dress", "黑色晚宴连衣裙", "Black Evening Dress", 899),
    ("floral-summer-dress", "碎花夏季连衣裙", "Floral Summer Dress", 359),
    ("knitted-dress", "针织连衣裙", "Knitted Dress", 459),
    ("silk-dress", "真丝连衣裙", "Silk Dress", 1299),
    ("oxford-shirt", "牛津纺衬衫", "Oxford Shirt", 199),
    ("linen-shirt", "亚麻衬衫", "Linen Shirt", 239),
    ("flannel-shirt", "法兰绒衬衫", "Flannel Shirt", 219),
    ("non-iron-shirt", "免烫商务衬衫", "Non-Iron Business Shirt", 299),
    ("polo-shirt", "纯棉马球衫", "Cotton Polo Shirt", 159),
    ("chef-jacket", "厨师工作服", "Chef Jacket", 269),
    ("barista-apron", "咖啡师围裙", "Barista Apron", 129),
    ("reception-suit", "前台套装", "Reception Suit", 699),
    ("work-vest", "工装马甲", "Work Vest", 189),
    ("safety-trousers", "防护工装裤", "Safety Trousers", 249),
    ("espresso-machine", "意式咖啡机", "Espresso Machine", 4999),
    ("office-coffee-station", "办公室咖啡站", "Office Coffee Station", 12800),
    ("coffee-grinder", "咖啡磨豆机", "Coffee Grinder", 899),
    ("yunnan-beans", "云南咖啡豆", "Yunnan Coffee Beans", 88),
    ("ethiopia-beans", "埃塞俄比亚咖啡豆", "Ethiopia Coffee Beans", 118),
    ("standing-desk", "升降办公桌", "Standing Desk", 2399),
    ("oak-desk", "橡木书桌", "Oak Desk", 1899),
    ("bench-desk", "四人工位", "Four-Person Bench Desk", 4599),
    ("meeting-table", "会议桌", "Meeting Table", 5299),
    ("side-table", "移动边桌", "Mobile Side Table", 399),
    ("ergonomic-chair", "人体工学椅", "Ergonomic Chair", 1699),
    ("mesh-chair", "网布办公椅", "Mesh Office Chair", 899),
    ("visitor-chair", "会客椅", "Visitor Chair", 499),
    ("bar-stool", "吧台凳", "Bar Stool", 359),
    ("lounge-chair", "休闲沙发椅", "Lounge Chair", 2199),
    ("desk-lamp", "护眼台灯", "Desk Lamp", 329),
    ("floor-lamp", "落地灯", "Floor Lamp", 599),
    ("pendant-lamp", "吊灯", "Pendant Lamp", 799),
    ("panel-light", "办公平板灯", "Office Panel Light", 459),
    ("night-light", "小夜灯", "Night Light", 69),
    ("notebook", "线装笔记本", "Thread-Bound Notebook", 39),
    ("fountain-pen", "钢笔", "Fountain Pen", 199),
    ("desk-organiser", "桌面收纳盒", "Desk Organiser", 89),
    ("whiteboard", "磁性白板", "Magnetic Whiteboard", 429),
    ("planner-2027", "2027 年日程本", "2027 Planner", 79),
)

PER_CATEGORY = len(_ROWS) // len(CATEGORIES)
PRODUCTS = tuple(
    Product(f"sku-{100 * (number // PER_CATEGORY + 1) + number % PER_CATEGORY + 1}", CATEGORIES[number // PER_CATEGORY][0], *row)
    for number, row in enumerate(_ROWS)
)
PRICE = np.array([[product.price, product.dollars] for product in PRODUCTS], dtype=np.int64)
# What people come for. Those who buy for an office look at other things than those who buy for themselves.
CONSUMER_INTEREST = np.array([9, 7, 1, 8, 2, 3, 4, 5], dtype=np.float64)
BUSINESS_INTEREST = np.array([1, 2, 6, 8, 8, 8, 4, 3], dtype=np.float64)
