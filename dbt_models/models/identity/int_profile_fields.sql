{%- set names = ['first_name', 'last_name', 'full_name', 'company', 'title', 'city', 'country', 'birthday'] -%}
{%- set contact_points = ['email', 'phone', 'wechat_openid', 'wechat_unionid', 'wecom_external_userid', 'user_id', 'crm_contact_id', 'olist_mql_id'] -%}
{%- set rules = local_md5(own_words() ~ fingerprint(ref('survivorship'))) -%}
{%- set mine = described_anew(rules) %}

-- one value of each field for each profile, by the strategy of the field; what that leaves open, by the source's priority and then the newest
with identifiers as (
    select * from {{ ref('bridge_profile_identifiers') }}
    where {{ mine }}
),

stated as (
    select * from {{ ref('int_profile_statements') }}
    {% if mine != 'true' %} where
        (identifier_type, identifier) in (select (identifier_type, identifier) from identifiers)
        or anonymous_id in (select identifier from identifiers where identifier_type = 'anonymous_id') {% endif %}
),

statements as (
    select
        coalesce(named.profile_id, device.profile_id) as profile_id,
        coalesce(named.profile_key, device.profile_key) as profile_key,
        stated.*
    from stated
    left join {{ ref('bridge_profile_identifiers') }} as named
        on stated.identifier_type = named.identifier_type and stated.identifier = named.identifier
    left join {{ ref('bridge_profile_identifiers') }} as device
        on device.identifier_type = 'anonymous_id' and stated.anonymous_id = device.identifier
),

candidates as (
    {% for name in names %}
    select profile_id, profile_key, '{{ name }}' as field, trim({{ name }}) as value, source, stated_at
    from statements
    where nullif(trim({{ name }}), '') is not null and {{ mine }} and profile_id is not null
    union all
    {% endfor %}
    select
        identifiers.profile_id, identifiers.profile_key, by_source.identifier_type, by_source.identifier, by_source.source,
        coalesce(by_then.last_seen_at, least(by_source.last_seen_at, {{ as_of() }}))
    from {{ ref('int_identifiers_by_source') }} as by_source
    join identifiers using (identifier_type, identifier)
    left join {{ ref('int_identifiers_by_then') }} as by_then
        on by_source.identifier_type = by_then.identifier_type
        and by_source.identifier = by_then.identifier
        and by_source.source = by_then.source
    where
        by_source.identifier_type in ('{{ contact_points | join("', '") }}')
        -- whom no member of the corp has as a contact any more
        and (
            by_source.identifier_type <> 'wecom_external_userid'
            or by_source.identifier not in (select external_userid from {{ ref('int_wecom_customers') }} where not is_customer))
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
    left join {{ ref('survivorship') }} as survivorship
        on candidates.field = survivorship.field and candidates.source = survivorship.source
    left join {{ ref('survivorship') }} as strategies
        on candidates.field = strategies.field and strategies.source = '*'
),

chosen as (
    select
        profile_id,
        profile_key,
        field,
        -- one pass, where sorting everybody's candidates takes twice as long
        arg_min(
            struct_pack(value := value, source := source, stated_at := stated_at),
            (strategy_place, source_place, -epoch_us(stated_at), value, source)
        ) as best
    from ranked
    group by profile_id, profile_key, field
)

select
    profile_id,
    field,
    best.value as value,
    best.source as source,
    best.stated_at as stated_at,
    profile_key,
    '{{ rules }}' as _rules,
    {{ come_to(ref('bridge_profile_identifiers')) }} as _named_at,
    {{ come_to(ref('int_identity_observations')) }} as _observed_at,
    {{ as_of() }} as _moment,
    {{ written_at() }} as _written_at
from chosen
