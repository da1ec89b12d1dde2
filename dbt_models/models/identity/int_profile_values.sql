{%- set fields = ['first_name', 'last_name', 'full_name', 'email', 'phone', 'wechat_openid', 'wechat_unionid', 'wecom_external_userid', 'user_id',
    'crm_contact_id', 'olist_mql_id', 'company', 'title', 'city', 'country', 'birthday'] -%}

with fields as (
    select * from {{ ref('int_profile_fields') }}
)

select
    profile_id,
    {%- for field in fields %}
    max(case when field = '{{ field }}' then value end) as {{ field }}{{ ',' if not loop.last }}
    {%- endfor %}
from fields
group by profile_id
