{# Every type of identifier, the strongest first: where an observation has several, the strongest is the one the others are tied to. #}
{% macro identifier_types() -%}
    {{ return(['user_id', 'crm_contact_id', 'email', 'phone', 'wechat_unionid', 'wechat_openid', 'wecom_external_userid', 'olist_mql_id', 'anonymous_id']) }}
{%- endmacro %}

{# The columns of an observation that hold identifiers, each with its type. An alias names two user ids, so there is a second column for one. #}
{% macro identifier_slots() -%}
    {%- set slots = [] -%}
    {%- for type in identifier_types() -%}
        {%- do slots.append({'column': type, 'type': type}) -%}
    {%- endfor -%}
    {%- do slots.append({'column': 'previous_user_id', 'type': 'user_id'}) -%}
    {{ return(slots) }}
{%- endmacro %}

{# One column for each slot ; those that are not given are null. `identifier_columns(email='email', phone='mobile')`. #}
{% macro identifier_columns() -%}
    {%- for slot in identifier_slots() %}
    cast({{ kwargs.get(slot.column, 'null') }} as varchar) as {{ slot.column }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The profile_id that an identifier would give its person if it were the first one seen: nothing but the identifier goes into it. #}
{% macro profile_id_of(identifier_type, identifier) -%}
    'p_' || left(md5({{ identifier_type }} || ':' || {{ identifier }}), 16)
{%- endmacro %}

{# The type of the first of these columns that is not null; the columns are named like identifier types. #}
{% macro strongest_type(types) -%}
    case {%- for type in types %} when {{ type }} is not null then '{{ type }}' {%- endfor %} end
{%- endmacro %}

{# The sources whose observations tell which identifiers belong together; int_observations__<source> has those of one. #}
{% macro observation_sources() -%}
    {{ return(['web', 'mail', 'sms', 'wechat', 'wecom', 'crm', 'shop', 'forms', 'webinar', 'offline', 'consent', 'lists', 'olist', 'chat',
        'crm_references', 'crm_sync']) }}
{%- endmacro %}
