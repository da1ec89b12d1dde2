with accounts as (
    {{ unpack(source('raw', 'crm_accounts'), {
        'account_id': 'account_id',
        'name': 'name',
        'domain': 'domain',
        'industry': 'industry',
        'employees': 'employees',
        'annual_revenue': 'annual_revenue',
        'city': 'city',
        'country': 'country',
        'created_text': 'created_at',
        'updated_text': 'updated_at'
    }) }}
)

select
    account_id,
    name,
    nullif(lower(trim(domain)), '') as domain,
    industry,
    try_cast(employees as bigint) as employees,
    try_cast(annual_revenue as double) as annual_revenue,
    city,
    country,
    {{ utc_timestamp('created_text') }} as created_at,
    coalesce({{ utc_timestamp('updated_text') }}, {{ utc_timestamp('created_text') }}, _landed_at) as updated_at,
    _batch_id,
    _landed_at
from accounts
qualify {{ latest_version('account_id') }}
