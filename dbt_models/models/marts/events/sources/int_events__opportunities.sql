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
),

-- the way between
told as (
    select * from {{ opportunity_moves() }} as moves
),

steps as (
    select
        told.change_id,
        told.moved_to,
        told.occurred_at,
        opportunities.opportunity_id,
        opportunities.contact_id,
        opportunities.amount,
        opportunities.currency,
        -- who it is about is known when the opportunity is, which may come later
        greatest(told._landed_at, opportunities._landed_at) as _landed_at,
        case when opportunities._landed_at > told._landed_at then opportunities._batch_id else told._batch_id end as _batch_id
    from told
    join opportunities using (opportunity_id)
    -- the history has a line as well when only the amount changed
    qualify told.moved_to is distinct from lag(told.moved_to) over (partition by opportunities.opportunity_id order by told.occurred_at, told.change_id)
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
union all
select
    {{ event_columns(
        event_id="'opportunity_steps:' || change_id",
        record_key="'opportunity_steps:' || change_id",
        source="'opportunities'",
        channel="'crm'",
        event_name="'Opportunity Stage Changed'",
        occurred_at='occurred_at',
        identifier_type="'crm_contact_id'",
        identifier='contact_id',
        object_id='opportunity_id',
        object_name='moved_to',
        value='amount',
        currency='currency'
    ) }}
from steps
