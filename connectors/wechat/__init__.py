"""WeChat: Official Accounts, and the customers of a WeCom corp."""

from connectors.wechat._fields import fault as field_fault

__all__ = ["field_fault"]
