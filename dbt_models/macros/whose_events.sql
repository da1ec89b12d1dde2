{# A select of `events` (rows of int_events, as `events`), in these `columns`, with whose they are and whether a machine caused them as of now. #}
{% macro whose_events(events, columns) -%}
    select
        {%- for column in columns %}
        {% if column == 'profile_id' -%}
            {# looked up when it is read, so that a later merge moves old events too -#}
            coalesce(identifiers.profile_id, messages.profile_id) as profile_id
        {%- elif column == 'is_bot' -%}
            coalesce(user_agents.is_bot, false) or machines.device_key is not null as is_bot
        {%- else -%}
            events.{{ column }}
        {%- endif %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ events }} as events
    left join {{ ref('bridge_profile_identifiers') }} as identifiers using (identifier_key)
    left join {{ ref('fct_messages') }} as messages using (message_id)
    left join {{ ref('int_user_agents') }} as user_agents using (user_agent)
    left join {{ ref('int_machine_devices') }} as machines using (device_key)
{%- endmacro %}
