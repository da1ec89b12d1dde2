"""Where people live: names, country, time zone, language, and the hours at which they are awake."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl


class Place(NamedTuple):
    """A city. `utc_offset` is in hours, without daylight saving: the sample's people keep one clock."""

    chinese: str
    english: str
    slug: str
    country: str
    time_zone: str
    utc_offset: int
    locale: str
    weight: float


PLACES = (
    Place("上海", "Shanghai", "shanghai", "CN", "Asia/Shanghai", 8, "zh-CN", 14),
    Place("北京", "Beijing", "beijing", "CN", "Asia/Shanghai", 8, "zh-CN", 12),
    Place("深圳", "Shenzhen", "shenzhen", "CN", "Asia/Shanghai", 8, "zh-CN", 10),
    Place("广州", "Guangzhou", "guangzhou", "CN", "Asia/Shanghai", 8, "zh-CN", 8),
    Place("杭州", "Hangzhou", "hangzhou", "CN", "Asia/Shanghai", 8, "zh-CN", 9),
    Place("成都", "Chengdu", "chengdu", "CN", "Asia/Shanghai", 8, "zh-CN", 7),
    Place("南京", "Nanjing", "nanjing", "CN", "Asia/Shanghai", 8, "zh-CN", 5),
    Place("苏州", "Suzhou", "suzhou", "CN", "Asia/Shanghai", 8, "zh-CN", 5),
    Place("武汉", "Wuhan", "wuhan", "CN", "Asia/Shanghai", 8, "zh-CN", 4),
    Place("西安", "Xi'an", "xian", "CN", "Asia/Shanghai", 8, "zh-CN", 3),
    Place("青岛", "Qingdao", "qingdao", "CN", "Asia/Shanghai", 8, "zh-CN", 3),
    Place("厦门", "Xiamen", "xiamen", "CN", "Asia/Shanghai", 8, "zh-CN", 2),
    Place("柏林", "Berlin", "berlin", "DE", "Europe/Berlin", 1, "de-DE", 4),
    Place("伦敦", "London", "london", "GB", "Europe/London", 0, "en-GB", 4),
    Place("巴黎", "Paris", "paris", "FR", "Europe/Paris", 1, "fr-FR", 3),
    Place("阿姆斯特丹", "Amsterdam", "amsterdam", "NL", "Europe/Amsterdam", 1, "en-GB", 2),
    Place("纽约", "New York", "new-york", "US", "America/New_York", -5, "en-US", 3),
    Place("旧金山", "San Francisco", "san-francisco", "US", "America/Los_Angeles", -8, "en-US", 2),
)

IS_CHINESE = np.array([place.country == "CN" for place in PLACES])
IS_AMERICAN = np.array([place.country == "US" for place in PLACES])
UTC_OFFSET = np.array([place.utc_offset for place in PLACES], dtype=np.int64)
WEIGHT = np.array([place.weight for place in PLACES])

# Share of activity by local hour 0 to 23: asleep at night, a peak at lunch and one in the evening.
HOURS = np.array([2, 1, 0.5, 0.3, 0.3, 0.6, 1.5, 3, 5, 7, 8, 7, 7, 6.5, 7, 7, 6.5, 6, 5.5, 6, 8, 8, 6.5, 4])
# By place, then Chinese or English; and by place.
CITY_NAMES = pl.Series([name for place in PLACES for name in (place.chinese, place.english)])
COUNTRIES = pl.Series([place.country for place in PLACES])
