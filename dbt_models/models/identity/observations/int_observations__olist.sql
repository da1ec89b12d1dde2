with leads as (
    select * from {{ ref('stg_olist__leads') }}
),

-- the data has no addresses: every lead gets one of its own, in a domain that delivers nowhere
addressed as (
    select
        *,
        mql_id || '@leads.example' as email
    from leads
)

select
    'olist' as source,
    'olist_lead' as rule,
    mql_id as evidence,
    coalesce(cast(first_contact_date as timestamp), _landed_at) as observed_at,
    {{ identifier_columns(olist_mql_id='mql_id', email='email') }},
    _batch_id,
    _landed_at
from addressed
