{#
What somebody answered to a text message: OPT_OUT (the words carriers and vendors take as such, in Chinese and in English), OPT_IN or
REPLY. An answer counts as a whole: "stop" opts out, "don't stop" does not.
#}
{% macro sms_answer(text) -%}
    {%- set answer = "upper(trim(" ~ text ~ ", ' 　。.!！'))" -%}
    case
        when {{ answer }} in ('T', 'TD', 'TT', 'N', 'R', '0000', '退订', '取消', '拒收') then 'OPT_OUT'
        when {{ answer }} in ('STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT') then 'OPT_OUT'
        when {{ answer }} in ('START', 'UNSTOP', '订阅', '恢复') then 'OPT_IN'
        else 'REPLY'
    end
{%- endmacro %}
