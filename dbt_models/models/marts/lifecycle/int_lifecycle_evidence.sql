with events as (
    select * from {{ ref('fct_events') }}
    where profile_id is not null and not is_bot
),

rules as (
    select * from {{ ref('lifecycle_rules') }}
),

contacts as (
    select * from {{ ref('stg_crm__contact_versions') }}
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
-- the CRM's own word, from the first version that said so
select
    identifiers.profile_id,
    crm_stages.stage,
    min(contacts.updated_at),
    'crm',
    'crm:' || contacts.contact_id
from contacts
join crm_stages on contacts.lifecycle_stage = crm_stages.crm_value
join identifiers
    on identifiers.identifier_type = 'crm_contact_id'
    and contacts.contact_id = identifiers.identifier
group by identifiers.profile_id, crm_stages.stage, contacts.contact_id
union all
select
    events.profile_id,
    crm_stages.stage,
    events.occurred_at,
    'crm',
    events.event_id
from events
join crm_stages on lower(events.object_name) = crm_stages.crm_value
where events.event_name = 'CRM Property Changed' and events.object_id = 'lifecyclestage'
