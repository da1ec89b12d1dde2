{%- set bridge, devices = ref('bridge_profile_identifiers'), ref('int_machine_devices') -%}
{%- set rules = local_md5(own_words() ~ fingerprint(ref('test_identifiers'))) -%}
{%- set about_the_past = is_about_the_past() -%}
{%- do have_columns({
    'is_machine': 'boolean', 'machine_devices': 'bigint', '_rules': 'varchar', '_named_at': 'timestamp', '_moment': 'timestamp', '_written_at': 'timestamp'
}) -%}
{%- set named_since = taken_up_to(bridge, '_named_at', rules=rules, leave=false) -%}
{%- set is_part = named_since and not about_the_past and run_query('select max(_moment) <= ' ~ as_of() ~ ' from ' ~ this).rows[0][0] -%}
{%- set machines -%}
    select bridge.profile_key, count(*) as machine_devices
    from {{ bridge }} as bridge
    join {{ devices }} as devices on bridge.identifier_key = devices.device_key
    where bridge.first_seen_at <= {{ as_of() }}
    group by bridge.profile_key
{%- endset -%}
{%- set machines_before -%}
    select profile_key, machine_devices from {{ this }}
    where machine_devices > 0
{%- endset -%}
{%- set changed -%}
    -- one of whose identifiers was seen, came or left
    select profile_key from {{ bridge }} where _written_at > {{ named_since }}
    union
    select profile_key from {{ this }} where profile_key not in (select profile_key from {{ bridge }})
    -- of whom something counts only now, or is dated ahead
    union
    select profile_key from {{ bridge }}
    where greatest(first_seen_at, last_seen_at) > (select max(_moment) from {{ this }})
    -- whose device is found to be a machine, or none
    union
    select profile_key from ({{ machines }} except {{ machines_before }}) as found
    union
    select profile_key from ({{ machines_before }} except {{ machines }}) as lost
{%- endset -%}

-- made again for those alone of whose identifiers something is new
with identifiers as (
    select * from {{ identifiers_known() }} as known
    where {{ made_again('profile_key', is_part, changed) }}
),

people as (
    select
        identifiers.profile_id,
        identifiers.profile_key,
        min(identifiers.first_seen_at) as first_seen_at,
        max(identifiers.last_seen_at) as last_seen_at,
        count(*) as identifiers,
        -- the CRM is one system, in however many ways it speaks
        split_part(min_by(identifiers.source, (identifiers.source = 'consent', identifiers.first_seen_at, identifiers.source)), '_', 1) as origin_system,
        bool_or({{ reason_by_pattern(ref('test_identifiers'), 'identifiers.identifier') }} is not null) as is_test,
        count(devices.device_key) as machine_devices
    from identifiers
    left join {{ devices }} as devices on identifiers.identifier_key = devices.device_key
    group by identifiers.profile_id, identifiers.profile_key
)

select
    profile_id,
    profile_key,
    first_seen_at,
    last_seen_at,
    identifiers,
    origin_system,
    is_test,
    -- a crawler has a cookie and nothing else
    identifiers = machine_devices as is_machine,
    machine_devices,
    '{{ rules }}' as _rules,
    {{ come_to(bridge) }} as _named_at,
    {{ as_of() }} as _moment,
    {{ written_at() }} as _written_at
from people
