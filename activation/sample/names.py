"""The words that names of people and companies are put together from. Every combination is invented."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Characters and their pinyin."""
    return tuple((characters, pinyin) for characters, _, pinyin in (word.partition(":") for word in text.split()))


CHINESE_SURNAMES = _pairs(
    "王:wang 李:li 张:zhang 刘:liu 陈:chen 杨:yang 黄:huang 赵:zhao 吴:wu 周:zhou 徐:xu 孙:sun 马:ma 朱:zhu 胡:hu 郭:guo 何:he 高:gao 林:lin 罗:luo "
    "郑:zheng 梁:liang 谢:xie 宋:song 唐:tang 许:xu 韩:han 冯:feng 邓:deng 曹:cao 彭:peng 曾:zeng 肖:xiao 田:tian 董:dong 潘:pan 袁:yuan 蔡:cai 蒋:jiang 余:yu "
    "于:yu 杜:du 叶:ye 程:cheng 魏:wei 苏:su 吕:lv 丁:ding 任:ren 卢:lu 姚:yao 沈:shen 钟:zhong 姜:jiang 崔:cui 谭:tan 陆:lu 范:fan 汪:wang 廖:liao 石:shi "
    "金:jin 贾:jia 夏:xia 韦:wei 方:fang 白:bai 邹:zou 孟:meng 熊:xiong 秦:qin 欧阳:ouyang 上官:shangguan"
)
CHINESE_GIVEN_NAMES = _pairs(
    "伟:wei 芳:fang 娜:na 敏:min 静:jing 丽:li 强:qiang 磊:lei 军:jun 洋:yang 勇:yong 艳:yan 杰:jie 娟:juan 涛:tao 明:ming 超:chao 霞:xia 平:ping 刚:gang "
    "文:wen 辉:hui 鑫:xin 宇:yu 博:bo 雪:xue 晨:chen 浩:hao 凯:kai 慧:hui 颖:ying 琳:lin 佳:jia 欣:xin 悦:yue 桐:tong 越:yue 楠:nan 蕾:lei 帆:fan "
    "子涵:zihan 梓萱:zixuan 雨桐:yutong 浩然:haoran 宇轩:yuxuan 欣怡:xinyi 思远:siyuan 嘉怡:jiayi 晓东:xiaodong 志强:zhiqiang 建国:jianguo 秀英:xiuying "
    "桂英:guiying 海燕:haiyan 春梅:chunmei 立新:lixin 国栋:guodong 文博:wenbo 诗涵:shihan 俊杰:junjie 梦洁:mengjie 雅婷:yating 一诺:yinuo 若曦:ruoxi "
    "明轩:mingxuan 天佑:tianyou 书瑶:shuyao 婉清:wanqing 景行:jingxing 知夏:zhixia 望舒:wangshu 清和:qinghe 怀瑾:huaijin 安然:anran 亦凡:yifan 小雨:xiaoyu"
)
WESTERN_FIRST_NAMES = words(
    "Anna Ben Clara David Elena Finn Greta Henry Ines Jonas Katrin Leon Maria Noah Olivia Paul Rosa Samuel Tessa Victor Wendy Alice Bruno Celia Daniel Emma Felix "
    "Grace Hugo Isabel James Karen Lucas Martha Nora Oscar Petra Quentin Rachel Simon Thea Ursula Vera Walter Yvonne Adrian Bridget Conrad Diana Edwin Fiona George "
    "Helen Ivan Julia Keith Laura Marcus Nina Owen Pauline Robert Sophie Thomas Zoe"
)
WESTERN_LAST_NAMES = words(
    "Abbott Barlow Carver Dalton Ellery Fairburn Garland Hartwell Ingram Jessop Kendall Langley Mercer Norwood Oakley Pemberton Quayle Redfern Sutton Thackeray "
    "Underwood Vance Whitlock Yardley Achterberg Baumann Claessens Dietrich Engel Fontaine Girard Hofmann Jansen Keller Lindqvist Moreau Neumann Oster Perrin "
    "Reinhardt Schuster Tessier Ulrich Verhoeven Weber Zimmer Ashdown Birch Colby Drake Eastman Foxley Granger Holloway Kirkby Lowell Marsden Nash Orton Prescott"
)

# Invented stems; a company is place + stem + trade.
CHINESE_COMPANY_STEMS = _pairs(
    "云栖:yunqi 鹭原:luyuan 澄野:chengye 松砚:songyan 岚石:lanshi 霁川:jichuan 蔚舟:weizhou 槐序:huaixu 栎禾:lihe 鲸屿:jingyu 砚池:yanchi 柏浦:baipu 星岬:xingjia "
    "禾木:hemu 听澜:tinglan 竹里:zhuli 青穗:qingsui 远岫:yuanxiu 沐阳:muyang 知微:zhiwei 归雁:guiyan 墨渊:moyuan 凌霄:lingxiao 朔方:shuofang 清越:qingyue 初霁:chuji "
    "白鹿:bailu 长亭:changting 晓渡:xiaodu 銮铃:luanling 望潮:wangchao 半山:banshan 云梯:yunti 九皋:jiugao 照夜:zhaoye 拾光:shiguang"
)
WESTERN_COMPANY_STEMS = words(
    "Norrvik Alderbrook Quillmark Tessaly Brackwell Ostermeer Fenwright Halcyr Lindmoor Kestrelby Marrowick Silverhythe Thornquist Vellamo Wexcombe Ysmere Brindlow "
    "Corvane Dunmarrow Elmstrand Farrowdale Glimmerby Hollandry Juniperton"
)
# Industry as written in the CRM, the Chinese trade word, the English one.
TRADES = (
    ("manufacturing", "精密制造", "Works"),
    ("software", "软件", "Software"),
    ("education", "教育", "Academy"),
    ("healthcare", "医疗", "Health"),
    ("finance", "资本", "Capital"),
    ("retail", "商贸", "Trading"),
    ("logistics", "物流", "Logistics"),
    ("hospitality", "酒店", "Hotels"),
    ("media", "传媒", "Media"),
    ("professional_services", "咨询", "Partners"),
)
WESTERN_LEGAL_FORMS = ("GmbH", "Ltd", "Inc", "BV", "SAS")

# Free-mail hosts; reserved names, so that nothing can be delivered to anyone.
FREE_MAIL_DOMAINS = ("mail.example", "post.example", "inbox.example")

# Title in Chinese, in English, level.
TITLES = (
    ("行政经理", "Office Manager", "manager"),
    ("采购经理", "Purchasing Manager", "manager"),
    ("采购专员", "Buyer", "staff"),
    ("人力资源总监", "HR Director", "director"),
    ("总经理", "General Manager", "executive"),
    ("首席运营官", "Chief Operating Officer", "executive"),
    ("市场经理", "Marketing Manager", "manager"),
    ("设计师", "Designer", "staff"),
    ("财务主管", "Head of Finance", "director"),
    ("工程师", "Engineer", "staff"),
    ("行政助理", "Office Assistant", "staff"),
    ("实习生", "Intern", "staff"),
)
