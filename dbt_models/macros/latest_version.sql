{# True for the newest version of a record: by its own change date, then by the order of landing. For a `qualify` clause. #}
{% macro latest_version(key, changed_at='updated_at') -%}
    row_number() over (partition by {{ key }} order by {{ changed_at }} desc nulls last, _landed_at desc, _batch_id desc, _line desc) = 1
{%- endmacro %}
