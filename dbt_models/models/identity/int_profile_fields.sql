{%- set names = ['first_name', 'last_name', 'full_name', 'company', 'title', 'city', 'country', 'birthday'] -%}
{%- set contact_points = ['email', 'phone', 'wechat_openid', 'wechat_unionid', 'wecom_external_userid', 'user_id', 'crm_contact_id', 'olist_mql_id'] -%}
{%- do have_columns({'profile_key': 'bigint', '_rules': 'varchar', '_named_at': 'timestamp', '_observed_at': 'timestamp', '_moment': 'timestamp', '_written_at': 'timestamp'}) -%}
{%- set rules = local_md5(own_words() ~ fingerprint(ref('survivorship'))) -%}
{%- set named_since = taken_up_to(ref('bridge_profile_identifiers'), '_named_at', rules=rules, leave=false) -%}
{%- set observed_since = taken_up_to(ref('int_identity_observations'), '_observed_at', leave=false) -%}
{#- Of these, a newer version of a record takes away what the one before said, which may have been about somebody else. -#}
{%- set is_part = named_since and observed_since and not is_about_the_past() and run_query("
    select max(_moment) <= " ~ as_of() ~ " from " ~ this ~ " where not exists (
        select 1 from " ~ ref('int_identity_observations') ~ " where _written_at > " ~ observed_since ~ " and source in ('lists', 'webinar', 'offline')
    )").rows[0][0] -%}
{%- if is_added_to() -%}
    {%- set changed -%}
        {%- if is_part %}
        {%- set before = '(select max(_moment) from ' ~ this ~ ')' -%}
        -- somebody one of whose identifiers was seen
        select profile_key from {{ ref('bridge_profile_identifiers') }} where _written_at > {{ named_since }}
        -- or about whom something counts only now, or is dated ahead
        union
        select bridge.profile_key
        from {{ ref('bridge_profile_identifiers') }} as bridge
        join (
            select identifier_type, identifier from {{ ref('int_identifiers_by_source') }} where last_seen_at > {{ before }}
            union select identifier_type, identifier from {{ ref('int_profile_statements') }} where stated_at > {{ before }}
            union select 'anonymous_id', anonymous_id from {{ ref('int_profile_statements') }} where stated_at > {{ before }}
        ) as ahead using (identifier_type, identifier)
        union
        select profile_key from {{ this }}
        where profile_key not in (select profile_key from {{ ref('bridge_profile_identifiers') }})
            or (field = 'wecom_external_userid' and value in (select external_userid from {{ ref('int_wecom_customers') }} where not is_customer))
        {%- else %}
        select profile_key from {{ this }}
        {%- endif -%}
    {%- endset -%}
    {%- do create_temporary(model.name ~ '_changed', changed) -%}
{%- endif -%}
{%- set mine = 'profile_key in (select profile_key from ' ~ model.name ~ '_changed)' if is_part else 'true' %}

-- one value of each field for each profile, by the strategy of the field; what that leaves open, by the source's priority and then the newest
with by_source as (
    select * from {{ ref('int_identifiers_by_source') }}
),

by_then as (
    select * from {{ ref('int_identifiers_by_then') }}
),

everybody as (
    select * from {{ ref('bridge_profile_identifiers') }}
),

identifiers as (
    select * from everybody
    where {{ mine }}
),

stated as (
    select * from {{ ref('int_profile_statements') }}
    {% if is_part %}
    where
        (identifier_type, identifier) in (select (identifier_type, identifier) from identifiers)
        or anonymous_id in (select identifier from identifiers where identifier_type = 'anonymous_id')
    {% endif %}
),

statements as (
    select
        coalesce(named.profile_id, device.profile_id) as profile_id,
        coalesce(named.profile_key, device.profile_key) as profile_key,
        stated.*
    from stated
    left join everybody as named
        on stated.identifier_type = named.identifier_type
        and stated.identifier = named.identifier
    left join everybody as device
        on device.identifier_type = 'anonymous_id'
        and stated.anonymous_id = device.identifier
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
    select profile_id, profile_key, '{{ name }}' as field, trim({{ name }}) as value, source, stated_at
    from statements
    where nullif(trim({{ name }}), '') is not null and {{ mine }} and profile_id is not null
    union all
    {% endfor %}
    select
        identifiers.profile_id, identifiers.profile_key, by_source.identifier_type, by_source.identifier, by_source.source,
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
