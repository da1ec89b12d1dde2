with opportunities as (
    select * from {{ ref('stg_crm__opportunities') }}
),

moments as (
    select *, 'Opportunity Created' as event_name, created_at as occurred_at from opportunities
    union all
    select *, 'Opportunity Won', coalesce(closed_at, updated_at) from opportunities
    where stage = 'closed_won'
    union all
    select *, 'Opportunity Lost', coalesce(closed_at, updated_at) from opportunities
    where stage = 'closed_lost'
)

select
    {{ event_columns(
        event_id="'opportunities:' || opportunity_id || ':' || event_name",
        record_key="'opportunities:' || opportunity_id",
        source="'opportunities'",
        channel="'crm'",
        event_name='event_name',
        occurred_at='occurred_at',
        identifier_type="'crm_contact_id'",
        identifier='contact_id',
        object_id='opportunity_id',
        object_name='name',
        value='amount',
        currency='currency'
    ) }}
from moments
