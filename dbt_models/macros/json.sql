{# One value of a JSON column as text, null where it is missing. `path` is dotted: 'context.page.url'. #}
{% macro json_text(column, path) -%}
    {{ return(adapter.dispatch('json_text')(column, path)) }}
{%- endmacro %}

{% macro default__json_text(column, path) -%}
    json_extract_path_text({{ column }}, {% for part in path.split('.') %}'{{ part }}'{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro duckdb__json_text(column, path) -%}
    json_extract_string({{ column }}, '{{ json_path(path) }}')
{%- endmacro %}

{% macro json_path(path) -%}
    ${% for part in path.split('.') %}."{{ part }}"{% endfor %}
{%- endmacro %}

{#
A select over a raw table with one text column for each entry of `fields` (column: dotted path in the payload) beside what landing
wrote. On an incremental model only the batches it has not seen yet are read.
#}
{% macro unpack(relation, fields) -%}
    {{ return(adapter.dispatch('unpack')(relation, fields)) }}
{%- endmacro %}

{% macro default__unpack(relation, fields) -%}
    select
        _event_id, _batch_id, _line, _landed_at
        {%- for name, path in fields.items() %},
        {{ json_text('payload', path) }} as {{ name }}
        {%- endfor %}
    from {{ relation }}
    where {{ unseen_batches(relation) }}
{%- endmacro %}

{# All paths in one call: the payload is parsed once a row, which is a quarter of the time of one call a path. #}
{% macro duckdb__unpack(relation, fields) -%}
    select
        _event_id, _batch_id, _line, _landed_at
        {%- for name in fields %},
        texts[{{ loop.index }}] as {{ name }}
        {%- endfor %}
    from (
        select
            _event_id, _batch_id, _line, _landed_at,
            json_extract_string(payload, [
                {%- for path in fields.values() %}'{{ json_path(path) }}'{{ ', ' if not loop.last }}{% endfor -%}
            ]) as texts
        from {{ relation }}
        where {{ unseen_batches(relation) }}
    ) as payloads
{%- endmacro %}
