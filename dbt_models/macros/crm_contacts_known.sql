{#
The CRM's contacts as they were known at the moment of the build, to select from. `changed_at`: when a version came to be; by default its own
date, and where a flag must not wait for a clock that runs ahead, `said_at()`.
#}
{% macro crm_contacts_known(changed_at='updated_at') -%}
    (select * from {{ ref('int_crm_contact_versions') }} qualify {{ version_as_of('contact_id', changed_at) }})
{%- endmacro %}

{# When something was said: by its own date, and never after it landed; to the second, like the moment of a build. #}
{% macro said_at(moment) -%}
    date_trunc('second', least({{ moment }}, _landed_at))
{%- endmacro %}

{#
When a statement of consent counts from. A clock that runs ahead must not keep a no from counting: it was said by the time it landed, which
may be the very second of the build.
#}
{% macro no_at() -%}
    case
        when status not in ('withdrawn', 'do_not_contact') then occurred_at
        when least(occurred_at, _landed_at) > {{ as_of() }} and date_trunc('second', _landed_at) <= {{ as_of() }} then {{ as_of() }}
        else least(occurred_at, _landed_at)
    end
{%- endmacro %}
