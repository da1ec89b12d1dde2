{%- set events = ref('fct_events') -%}
{%- set moment = "cast('" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') ~ "' as timestamp)" -%}

{#- Of a table from before, when a person and a visitor had a row each, all is found anew. -#}
{%- if is_added_to() and not run_query("select 1 from " ~ this ~ " where profile_id <> '' and visitor_key <> 0 limit 1").rows -%}
    {%- do run_query("update " ~ this ~ " set changed_at = (select max(changed_at) from " ~ this ~ ") where profile_id = '' and visitor_key = 0") -%}
    {%- do run_query("delete from " ~ this ~ " where profile_id <> '' or visitor_key <> 0") -%}
{%- endif -%}

-- which events each person has at each visitor, told by a fingerprint, and the build that first found it so
with sets as (
    select * from {{ ref('int_event_counts') }}
),

-- whose they are is looked up for each set, not for each event
fingerprints as (
    select
        coalesce(profile_id, '') as profile_id,
        coalesce(device_key, identifier_key, 0) as visitor_key,
        events,
        {{ number_of(['message_id'], ['identifier_key', 'device_key', 'events', 'fingerprint']) }} as fingerprint
    from ({{ whose_events('sets', ['profile_id', 'identifier_key', 'device_key', 'message_id', 'is_bot', 'events', 'fingerprint']) }}) as whose_sets
    -- a machine's count for nobody; whoever turns out to be one loses them
    where not is_bot
),

now as (
    select
        profile_id,
        visitor_key,
        cast(sum(events) as bigint) as events,
        cast(sum(fingerprint) as varchar) as fingerprint
    from fingerprints
    where profile_id <> '' or visitor_key <> 0
    group by profile_id, visitor_key
    union all
    -- the moment that the build speaks about, and how often it was an earlier one than that of the build before
    {%- if is_incremental() %}
    select '', 0, coalesce(max(events + cast(fingerprint > cast({{ as_of() }} as varchar) as bigint)), 0), cast({{ as_of() }} as varchar)
    from {{ this }}
    where profile_id = '' and visitor_key = 0
    {%- else %}
    select '', 0, 0, cast({{ as_of() }} as varchar)
    {%- endif %}
)

{% if is_incremental() -%}
{%- set moments = moments_between(this) -%}
,

-- whose events came into or went out of what is counted because the moment moved: up to it, in the 30 and the 90 days before it
passed as (
    select distinct coalesce(profile_id, '') as profile_id, coalesce(device_key, identifier_key, 0) as visitor_key, true as is_passed
    from {{ events }}
    where
        not is_bot
        and (
            {%- for days in [0, 30, 90] %}
            {{ 'or ' if not loop.first }}(occurred_at > {{ moments[0] }} - interval '{{ days }} days' and occurred_at <= {{ moments[1] }} - interval '{{ days }} days')
            {%- endfor %}
        )
)

select
    coalesce(now.profile_id, before.profile_id) as profile_id,
    coalesce(now.visitor_key, before.visitor_key) as visitor_key,
    coalesce(now.events, 0) as events,
    coalesce(now.fingerprint, '') as fingerprint,
    -- later than every other, whatever the clock does
    greatest({{ moment }}, (select max(changed_at) + interval '1 microsecond' from {{ this }})) as changed_at
from now
full join {{ this }} as before using (profile_id, visitor_key)
left join passed on now.profile_id = passed.profile_id and now.visitor_key = passed.visitor_key
where
    -- who lost all events stays, as somebody without any
    coalesce(now.events, 0) <> coalesce(before.events, 0)
    or coalesce(now.fingerprint, '') <> coalesce(before.fingerprint, '')
    or passed.is_passed
{%- else -%}
select *, {{ moment }} as changed_at from now
{%- endif %}
