with leads as (
    select * from {{ ref('stg_olist__leads') }}
),

deals as (
    select * from {{ ref('stg_olist__deals') }}
),

moments as (
    select
        mql_id, 'Lead Submitted' as event_name, coalesce(cast(first_contact_date as timestamp), _landed_at) as occurred_at,
        landing_page_id as object_id, origin as object_name, _batch_id, _landed_at
    from leads
    union all
    select mql_id, 'Deal Won', coalesce(won_at, _landed_at), seller_id, business_segment, _batch_id, _landed_at
    from deals
)

select
    {{ event_columns(
        event_id="'olist:' || mql_id || ':' || event_name",
        record_key="'olist:' || mql_id || ':' || event_name",
        source="'olist'",
        channel="'olist'",
        event_name='event_name',
        occurred_at='occurred_at',
        identifier_type="'olist_mql_id'",
        identifier='mql_id',
        object_id='object_id',
        object_name='object_name'
    ) }}
from moments
