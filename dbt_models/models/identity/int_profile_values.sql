{%- set fields = ['first_name', 'last_name', 'full_name', 'email', 'phone', 'wechat_openid', 'wechat_unionid', 'wecom_external_userid', 'user_id',
    'crm_contact_id', 'olist_mql_id', 'company', 'title', 'city', 'country', 'birthday'] -%}
{%- do have_columns({'profile_key': 'bigint', '_rules': 'varchar', '_taken_at': 'timestamp'}) -%}
{%- set rules = own_words() -%}
{%- set since = taken_up_to(ref('int_profile_fields'), rules=rules, leave=false) -%}
{%- set changed -%}
    select profile_key from {{ ref('int_profile_fields') }} where _written_at > {{ since }}
    union select profile_key from {{ this }} where profile_key not in (select profile_key from {{ ref('int_profile_fields') }})
{%- endset -%}
{%- set wanted = made_again('profile_key', since, changed) %}

with fields as (
    select * from {{ ref('int_profile_fields') }}
    where {{ wanted }}
)

select
    profile_id,
    profile_key,
    {%- for field in fields %}
    max(case when field = '{{ field }}' then value end) as {{ field }},
    {%- endfor %}
    '{{ rules }}' as _rules,
    {{ come_to(ref('int_profile_fields')) }} as _taken_at
from fields
group by profile_id, profile_key
