{%- set names = ['first_name', 'last_name', 'full_name', 'company', 'title', 'city', 'country', 'birthday'] -%}
{%- set contact_points = ['email', 'phone', 'wechat_openid', 'wechat_unionid', 'wecom_external_userid', 'user_id', 'crm_contact_id', 'olist_mql_id'] -%}

-- one value of each field for each profile, by the strategy of the field; what that leaves open, by the source's priority and then the newest
with statements as (
    select * from {{ ref('int_profile_statements') }}
),

by_source as (
    select * from {{ ref('int_identifiers_by_source') }}
),

by_then as (
    select * from {{ ref('int_identifiers_by_then') }}
),

identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

survivorship as (
    select * from {{ ref('survivorship') }}
),

-- whom no member of the corp has as a contact any more
strangers as (
    select external_userid from {{ ref('int_wecom_customers') }}
    where not is_customer
),

candidates as (
    {% for name in names %}
    select profile_id, '{{ name }}' as field, trim({{ name }}) as value, source, stated_at
    from statements
    where nullif(trim({{ name }}), '') is not null
    union all
    {% endfor %}
    select
        identifiers.profile_id, by_source.identifier_type, by_source.identifier, by_source.source,
        coalesce(by_then.last_seen_at, least(by_source.last_seen_at, {{ as_of() }}))
    from by_source
    join identifiers using (identifier_type, identifier)
    left join by_then
        on by_source.identifier_type = by_then.identifier_type
        and by_source.identifier = by_then.identifier
        and by_source.source = by_then.source
    where
        by_source.identifier_type in ('{{ contact_points | join("', '") }}')
        and not (by_source.identifier_type = 'wecom_external_userid' and by_source.identifier in (select external_userid from strangers))
        and least(by_source.first_seen_at, by_source.first_landed_at) <= {{ as_of() }}
),

ranked as (
    select
        candidates.*,
        case strategies.strategy
            when 'most_recent' then -epoch(candidates.stated_at)
            when 'most_complete' then -length(candidates.value)
            else coalesce(survivorship.priority, 100)
        end as strategy_place,
        coalesce(survivorship.priority, 100) as source_place
    from candidates
    left join survivorship
        on candidates.field = survivorship.field
        and candidates.source = survivorship.source
    left join survivorship as strategies
        on candidates.field = strategies.field
        and strategies.source = '*'
),

chosen as (
    select
        profile_id,
        field,
        -- one pass, where sorting everybody's candidates takes twice as long
        arg_min(
            struct_pack(value := value, source := source, stated_at := stated_at),
            (strategy_place, source_place, -epoch_us(stated_at), value, source)
        ) as best
    from ranked
    group by profile_id, field
)

select
    profile_id,
    field,
    best.value as value,
    best.source as source,
    best.stated_at as stated_at
from chosen
