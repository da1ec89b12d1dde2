{#
For int_profile_fields: a condition on profile_key, true for everybody whose fields are chosen again. `rules` is a
fingerprint of what the rows depend on besides what was said.
#}
{% macro described_anew(rules) -%}
    {%- set observations, bridge, statements = ref('int_identity_observations'), ref('bridge_profile_identifiers'), ref('int_profile_statements') -%}
    {%- set by_source, customers = ref('int_identifiers_by_source'), ref('int_wecom_customers') -%}
    {%- set about_the_past = is_about_the_past() -%}
    {%- if not is_added_to() -%}
        {{ return('true') }}
    {%- endif -%}
    {%- do have_columns({
        'profile_key': 'bigint', '_rules': 'varchar', '_named_at': 'timestamp', '_observed_at': 'timestamp', '_moment': 'timestamp', '_written_at': 'timestamp'
    }) -%}
    {%- set named_since = taken_up_to(bridge, '_named_at', rules=rules, leave=false) -%}
    {%- set observed_since = taken_up_to(observations, '_observed_at', leave=false) -%}
    {#- Of these sources a newer version of a record takes away what the one before said, which may have been about somebody else. -#}
    {%- set is_part = named_since and observed_since and not about_the_past and run_query('
        select max(_moment) <= ' ~ as_of() ~ ' from ' ~ this ~ ' where not exists (
            select 1 from ' ~ observations ~ ' where _written_at > ' ~ observed_since ~ " and source in ('lists', 'webinar', 'offline')
        )").rows[0][0] -%}
    {%- set before = '(select max(_moment) from ' ~ this ~ ')' -%}
    {{ return(made_again('profile_key', is_part, '
        -- one of whose identifiers was seen
        select profile_key from ' ~ bridge ~ ' where _written_at > ' ~ named_since ~ '
        -- about whom something counts only now, or is dated ahead
        union
        select bridge.profile_key
        from ' ~ bridge ~ ' as bridge
        join (
            select identifier_type, identifier from ' ~ by_source ~ ' where last_seen_at > ' ~ before ~ '
            union select identifier_type, identifier from ' ~ statements ~ ' where stated_at > ' ~ before ~ "
            union select 'anonymous_id', anonymous_id from " ~ statements ~ ' where stated_at > ' ~ before ~ '
        ) as ahead using (identifier_type, identifier)
        -- who is not there any more, or is no contact any more
        union
        select profile_key from ' ~ this ~ '
        where profile_key not in (select profile_key from ' ~ bridge ~ ")
            or (field = 'wecom_external_userid' and value in (select external_userid from " ~ customers ~ ' where not is_customer))
    ')) }}
{%- endmacro %}
