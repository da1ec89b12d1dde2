with rules as (
    select * from {{ ref('lifecycle_rules') }}
),

events as (
    select * from {{ ref('int_lifecycle_events') }}
),

-- what the CRM says in a field, at each time that it begins to say it
statements as (
    {% for field in ['lifecycle_stage', 'lead_status'] %}
    select
        contact_id,
        '{{ field }}' as field,
        {{ crm_word(field) }} as crm_value,
        updated_at,
        {{ crm_word(field) }} is distinct from lag({{ crm_word(field) }}) over (partition by contact_id order by updated_at, _landed_at, _line) as is_news
    from {{ ref('int_crm_contact_versions') }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

kinds as (
    select distinct event_name, coalesce(object_id, '') as object_id from events
),

-- of the rules that fit an event, the first
meanings as (
    select
        kinds.event_name,
        kinds.object_id,
        min_by(rules.stage, rules.priority) as stage
    from kinds
    join rules
        on kinds.event_name = rules.event_name
        and kinds.object_id like rules.object_like
    group by kinds.event_name, kinds.object_id
),

crm_stages as (
    select * from {{ ref('crm_lifecycle_stages') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
)

select
    events.profile_id,
    meanings.stage,
    events.occurred_at,
    events.source,
    events.event_id as evidence
from events
join meanings
    on events.event_name = meanings.event_name
    and coalesce(events.object_id, '') = meanings.object_id
union all
-- the CRM's own word
select
    identifiers.profile_id,
    crm_stages.stage,
    statements.updated_at,
    'crm',
    'crm:' || statements.contact_id
from statements
join crm_stages using (field, crm_value)
join identifiers
    on identifiers.identifier_type = 'crm_contact_id'
    and statements.contact_id = identifiers.identifier
where statements.is_news
union all
select
    events.profile_id,
    crm_stages.stage,
    events.occurred_at,
    'crm',
    events.event_id
from events
join crm_stages on {{ crm_word('events.object_name') }} = crm_stages.crm_value
where
    events.event_name = 'CRM Property Changed'
    and replace(replace(events.object_id, 'hs_', ''), '_', '') = replace(crm_stages.field, '_', '')
