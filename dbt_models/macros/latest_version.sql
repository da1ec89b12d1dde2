{# True for the newest version of a record: by its own change date, then by the order of landing. For a `qualify` clause. #}
{% macro latest_version(key, changed_at='updated_at') -%}
    row_number() over (partition by {{ key }} order by {{ changed_at }} desc nulls last, _landed_at desc, _batch_id desc, _line desc) = 1
{%- endmacro %}

{#
True for the version of a record that was known at the moment of the build: the newest up to then, and where all are later the first, for of
an import the versions go back no further. For a `qualify` clause.
#}
{% macro version_as_of(key, changed_at='updated_at') -%}
    row_number() over (
        partition by {{ key }}
        order by
            ({{ changed_at }} > {{ as_of() }})::int,
            case when {{ changed_at }} <= {{ as_of() }} then {{ changed_at }} end desc nulls last,
            {{ changed_at }},
            _landed_at desc, _batch_id desc, _line desc
    ) = 1
{%- endmacro %}
